"""Decides which keys and certificates of a mesh are still good, and makes the ones that are not. No files here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from receptor_runner.mesh.authority import Authority, KeyPair, addresses_of, normalized
from receptor_runner.receptor_config.certificates import facts_of, public_half

if TYPE_CHECKING:
    from collections.abc import Mapping

    from receptor_runner.mesh.description import MeshDescription, MeshNode

CERTIFICATE_DAYS = 365
_AUTHORITY_DAYS = 3650
# An authority must outlive the certificates it issues, or it would cut them short from its first day.
_AUTHORITY_FACTOR = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """How long certificates are valid, and when they are renewed.

    Args:
        days: the lifetime of a node's certificate.
        renew_days: renew what ends within this many days; None to renew only what has ended.
        now: the present moment, UTC.
    """

    days: int = CERTIFICATE_DAYS
    renew_days: int | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def lifetime(self) -> timedelta:
        """The lifetime of a node's certificate."""
        return timedelta(days=self.days)

    @property
    def authority_lifetime(self) -> timedelta:
        """The lifetime of an authority."""
        return timedelta(days=max(_AUTHORITY_DAYS, _AUTHORITY_FACTOR * self.days))

    def is_due(self, not_after: datetime) -> bool:
        """Return whether a certificate that ends then must be renewed now."""
        return not_after <= self.now + timedelta(days=self.renew_days or 0)

    def is_authority_due(self, not_after: datetime) -> bool:
        """Return whether an authority must be renewed now: with renew_days, before it has to cut certificates short."""
        if self.renew_days is None:
            return not_after <= self.now
        return self.is_due(not_after) or not_after < self.now + self.lifetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """The authority of a mesh and the certificate of each node.

    Args:
        authority: as it is to be stored.
        nodes: certificate and key by the name of the node.
        reasons: why something was made, by the name of the node; the authority's under "".
    """

    authority: Authority
    nodes: Mapping[str, KeyPair]
    reasons: Mapping[str, str]


def renew(
    description: MeshDescription,
    authority: Authority | None,
    held: Mapping[str, KeyPair],
    validity: Validity,
) -> Certificates:
    """Return the certificates that a mesh is to have: what is good stays, the rest is made.

    A certificate is always made together with a new key: the key that it replaces may have leaked unnoticed, and the
    two travel to the node together anyway.

    A new authority is trusted beside the earlier ones until those end, so nodes that get it sooner or later trust each
    other. In the run that makes it, certificates still come from its predecessor, which every node already trusts.

    Args:
        description: the mesh.
        authority: the one there is, if any.
        held: the certificates and keys there are, by the name of the node.
        validity: lifetimes.
    """
    reasons: dict[str, str] = {}
    current, issuer = _authority(description, authority, validity, reasons)
    nodes: dict[str, KeyPair] = {}
    for node in description.nodes:
        pair = held.get(node.name)
        reason = why_not_good(pair, node, current, validity)
        if pair is None or reason:
            reasons[node.name] = reason or "new"
            pair = issuer.issue([node.name], [node.address], lifetime=validity.lifetime, now=validity.now)
        nodes[node.name] = pair
    return Certificates(authority=current, nodes=nodes, reasons=reasons)


def _authority(
    description: MeshDescription, held: Authority | None, validity: Validity, reasons: dict[str, str]
) -> tuple[Authority, Authority]:
    """Return the authority that is kept, and the one that issues in this run."""
    lifetime, now = validity.authority_lifetime, validity.now
    if held is None:
        reasons[""] = "new"
        made = Authority.create(f"{description.name} CA", lifetime=lifetime, now=now)
        return made, made
    alive = tuple(one for one in held.certificates if one.not_valid_after_utc > now)
    if not validity.is_authority_due(held.not_after):
        return replace(held, certificates=alive), held
    reasons[""] = f"ends on {held.not_after:%Y-%m-%d}"
    made = Authority.create(f"{description.name} CA", lifetime=lifetime, now=now, earlier=alive)
    return made, made if validity.is_due(held.not_after) else held


def why_not_good(
    pair: KeyPair | None, node: MeshNode, authority: Authority, validity: Validity
) -> str | None:
    """Return why a node needs another certificate, None if the one it has is good."""
    from cryptography import x509

    if pair is None:
        return "new"
    try:
        certificate = x509.load_pem_x509_certificates(pair.public)[0]
        facts = facts_of(certificate)
        belongs = facts.public_key == public_half(pair.private)
    except ValueError:
        return "the files are damaged"
    if not belongs:
        return "the key does not belong to the certificate"
    if facts.node_ids != (node.name,) or addresses_of(certificate) != {normalized(node.address)}:
        return f"the address is now {node.address}"
    if not authority.trusts(certificate):
        return "issued by another authority"
    return f"ends on {facts.not_after:%Y-%m-%d}" if validity.is_due(facts.not_after) else None
