"""Reads certificates and keys with the package `cryptography`.

A certificate carries its node's id as a subjectAltName: an otherName of type 1.3.6.1.4.1.2312.19.1 that holds a UTF-8
string. The daemon compares it with node.id when it starts, and its peers compare it when it connects.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509

NODE_ID_OID = "1.3.6.1.4.1.2312.19.1"
SOON = timedelta(days=30)
"""How long before its end a certificate is warned of."""

_UTF8_STRING = 0x0C


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """The facts in the first certificate of a file.

    Args:
        node_ids: the node ids it carries.
        not_before: valid from, UTC.
        not_after: valid until, UTC.
        public_key: the key it certifies, as DER, to compare with others.
    """

    node_ids: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    public_key: bytes


def read_certificate(path: Path) -> CertificateFacts:
    """Read the first certificate of a PEM file.

    Raises:
        ValueError: no certificate in it.
        OSError: it cannot be read.
    """
    from cryptography import x509

    return facts_of(x509.load_pem_x509_certificates(path.read_bytes())[0])


def facts_of(certificate: x509.Certificate) -> CertificateFacts:
    """Return the facts in a certificate."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return CertificateFacts(
        node_ids=_node_ids(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        public_key=certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )


def read_private_key(path: Path) -> bytes:
    """Read a PEM private key and return its public half, DER.

    Raises:
        ValueError: no private key in it, or one that needs a password.
        OSError: it cannot be read.
    """
    return public_half(path.read_bytes())


def public_half(private: bytes) -> bytes:
    """Return the public half of a PEM private key, DER.

    Raises:
        ValueError: it is no private key, or it needs a password.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        key = load_pem_private_key(private, password=None)
    except TypeError as fault:
        raise ValueError("it is encrypted, and the daemon cannot ask for a password") from fault
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def read_signing_key(path: Path) -> bytes:
    """Read the private key that signs work and return its public half, DER.

    Raises:
        ValueError: not a PEM RSA key in PKCS1 or PKCS8 form.
        OSError: it cannot be read.
    """
    if b"OPENSSH PRIVATE KEY" in path.read_bytes():
        raise ValueError("it is in OpenSSH format; the daemon reads PKCS1 and PKCS8")
    return _rsa_only(read_private_key(path))


def read_verifying_key(path: Path) -> bytes:
    """Read the public key that verifies signed work, DER.

    Raises:
        ValueError: not a PEM RSA public key in PKIX form ("PUBLIC KEY").
        OSError: it cannot be read.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    data = path.read_bytes()
    if b"-----BEGIN PUBLIC KEY-----" not in data:
        raise ValueError("not a PEM public key in PKIX form (BEGIN PUBLIC KEY)")
    key = load_pem_public_key(data)
    return _rsa_only(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _rsa_only(public_key: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    if not isinstance(load_der_public_key(public_key), RSAPublicKey):
        raise ValueError("not an RSA key")  # noqa: TRY004 -- the file's content is wrong, not a type
    return public_key


def _node_ids(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    found = names.get_values_for_type(x509.OtherName)
    return tuple(_utf8(name.value) for name in found if name.type_id.dotted_string == NODE_ID_OID)


def _utf8(der: bytes) -> str:
    if len(der) < 2 or der[0] != _UTF8_STRING:
        return ""
    if der[1] < 0x80:
        return der[2:].decode("utf-8", "replace")
    return der[2 + (der[1] & 0x7F) :].decode("utf-8", "replace")
