"""The certificate authority of a mesh, and the pair of keys that signs and verifies work. Bytes in, bytes out.

A node's certificate carries its node id as a subjectAltName of the kind otherName, which the daemon compares with
node.id, and the address that other nodes connect to, which those compare with what they dialed.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from receptor_runner.receptor_config.certificates import NODE_ID_OID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

CLOCK_SKEW = timedelta(minutes=5)
"""A certificate is valid from a little before it was made: the clocks of the hosts differ."""

_SIGNING_BITS = 3072


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A private key and what goes with it, both PEM.

    Args:
        public: the certificate, or the public key in PKIX form.
        private: the private key, PKCS8 without a password.
    """

    public: bytes
    private: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate authority.

    Args:
        certificates: its own certificate, then those of earlier authorities of the mesh that nodes still trust.
        key: the private key of the first one.
    """

    certificates: tuple[x509.Certificate, ...]
    key: EllipticCurvePrivateKey

    @classmethod
    def create(
        cls,
        name: str,
        *,
        lifetime: timedelta,
        now: datetime | None = None,
        earlier: Sequence[x509.Certificate] = (),
    ) -> Self:
        """Make a new authority.

        Args:
            name: the common name of its certificate, at most 64 characters of it.
            lifetime: how long from now.
            now: the moment it is made; by default the present one.
            earlier: certificates of earlier authorities that nodes still trust.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        moment = now or datetime.now(UTC)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = (
            _builder(name, _name(name), key, moment, moment + lifetime)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(for_authority=True), critical=True)
            .add_extension(identifier, critical=False)
        )
        return cls(certificates=(builder.sign(key, _sha256()), *earlier), key=key)

    @classmethod
    def load(cls, pair: KeyPair) -> Self:
        """Read an authority back.

        Raises:
            ValueError: these are no certificates, no elliptic curve key, or they do not belong together.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

        certificates = tuple(x509.load_pem_x509_certificates(pair.public))
        key = _load_key(pair.private)
        if not isinstance(key, EllipticCurvePrivateKey):
            raise ValueError("the key is not an elliptic curve key")  # noqa: TRY004 -- the content is wrong, not a type
        if certificates[0].public_key() != key.public_key():
            raise ValueError("the key does not belong to the first certificate")
        return cls(certificates=certificates, key=key)

    @property
    def not_after(self) -> datetime:
        """When its own certificate ends, UTC."""
        return self.certificates[0].not_valid_after_utc

    def pair(self) -> KeyPair:
        """Return its certificates, its own first, and its key."""
        return KeyPair(public=b"".join(map(_pem, self.certificates)), private=_private_pem(self.key))

    def trusts(self, certificate: x509.Certificate) -> bool:
        """Return whether it, or an earlier authority that nodes still trust, issued a certificate."""
        return any(_is_issued_by(certificate, authority) for authority in self.certificates)

    def issue(
        self,
        node_ids: Sequence[str],
        addresses: Sequence[str],
        *,
        lifetime: timedelta,
        now: datetime | None = None,
    ) -> KeyPair:
        """Make a key and its certificate, which does not outlive the authority.

        Args:
            node_ids: the node ids it carries, usually one.
            addresses: the host names and IP addresses it carries.
            lifetime: how long from now; negative for a certificate that has ended.
            now: the moment it is made; by default the present one.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID

        key = ec.generate_private_key(ec.SECP256R1())
        moment = now or datetime.now(UTC)
        until = min(moment + lifetime, self.not_after)
        own = self.certificates[0]
        identifier = own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = (
            _builder(node_ids[0] if node_ids else "node", own.subject, key, moment, until)
            .add_extension(x509.SubjectAlternativeName(_alternatives(node_ids, addresses)), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(for_authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            # Two authorities of a mesh may have the same name; this says which key signed.
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
            )
        )
        certificate = builder.sign(self.key, _sha256())
        return KeyPair(public=_pem(certificate), private=_private_pem(key))


def make_signing_pair() -> KeyPair:
    """Make the pair that signs and verifies work; the daemon takes RSA only."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=_SIGNING_BITS)
    return KeyPair(public=verifying_key(_private_pem(key)), private=_private_pem(key))


def verifying_key(private: bytes) -> bytes:
    """Return the key that verifies what a signing key signs, PEM in PKIX form.

    Raises:
        ValueError: it is no private key, or it needs a password.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return _load_key(private).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def addresses_of(certificate: x509.Certificate) -> set[str]:
    """Return the host names and IP addresses that a certificate carries."""
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses = {str(ip) for ip in names.get_values_for_type(x509.IPAddress)}
    return addresses | set(names.get_values_for_type(x509.DNSName))


def normalized(address: str) -> str:
    """Return an address as a certificate has it: an IPv6 address has many spellings."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address.lower()


def _load_key(private: bytes) -> EllipticCurvePrivateKey | RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private, password=None)
    except TypeError as fault:
        raise ValueError("the key needs a password") from fault
    if not isinstance(key, EllipticCurvePrivateKey | RSAPrivateKey):
        raise ValueError("neither an elliptic curve key nor an RSA key")  # noqa: TRY004 -- as above
    return key


def _is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _builder(
    common_name: str, issuer: x509.Name, key: EllipticCurvePrivateKey, moment: datetime, until: datetime
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(moment, until) - CLOCK_SKEW)
        .not_valid_after(until)
    )


def _usage(*, for_authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not for_authority,
        key_cert_sign=for_authority,
        crl_sign=for_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(node_ids: Sequence[str], addresses: Sequence[str]) -> list[x509.GeneralName]:
    from cryptography import x509

    oid = x509.ObjectIdentifier(NODE_ID_OID)
    return [
        *(_general_name(normalized(address)) for address in addresses),
        *(x509.OtherName(oid, _utf8_string(node_id)) for node_id in node_ids),
    ]


def _general_name(address: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _utf8_string(text: str) -> bytes:
    """Encode a text of at most 255 bytes as DER."""
    data = text.encode()
    length = (len(data),) if len(data) < 0x80 else (0x81, len(data))
    return bytes((0x0C, *length)) + data


def _name(common_name: str) -> x509.Name:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name[:64])])


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _private_pem(key: EllipticCurvePrivateKey | RSAPrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _sha256() -> hashes.SHA256:
    from cryptography.hazmat.primitives import hashes

    return hashes.SHA256()
