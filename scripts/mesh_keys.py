"""Makes the keys of a mesh: an authority, a certificate for each node, a pair that signs and verifies work.

A node's certificate carries its id as a subjectAltName of the kind otherName (1.3.6.1.4.1.2312.19.1, UTF-8), which
the daemon compares with node.id, and localhost and 127.0.0.1 for the links.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from receptor_runner.receptor_config.certificates import NODE_ID_OID, need_reader

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

LIFETIME = timedelta(days=90)
CLOCK_SKEW = timedelta(minutes=5)


class Authority:
    """A certificate authority of one's own.

    Args:
        directory: where its certificate `ca.crt` and the nodes' files go; made if it is missing.

    Raises:
        ConfigError: the package `cryptography` is not installed.
    """

    def __init__(self, directory: Path) -> None:
        need_reader()
        from cryptography.hazmat.primitives.asymmetric import ec

        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign_itself()
        (directory / "ca.crt").write_bytes(_pem(self._certificate))

    def issue(self, node_id: str, *, lifetime: timedelta = LIFETIME, carries: str | None = None) -> None:
        """Write NODE_ID.crt and NODE_ID.key.

        Args:
            node_id: the node.
            lifetime: how long from now; in the past for a certificate that has expired.
            carries: the id to put in, if it is to be another one; "" for none.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(node_id, self._certificate.subject, key, lifetime).add_extension(
            x509.SubjectAlternativeName(_names(node_id if carries is None else carries)), critical=False
        )
        certificate = builder.sign(self._key, _sha256())
        (self.directory / f"{node_id}.crt").write_bytes(_pem(certificate))
        write_private(self.directory / f"{node_id}.key", key)

    def _sign_itself(self) -> x509.Certificate:
        from cryptography import x509

        name = _name("mesh authority")
        builder = _builder("mesh authority", name, self._key, LIFETIME)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return builder.sign(self._key, _sha256())


def make_signing_pair(directory: Path) -> tuple[Path, Path]:
    """Write sign.pem (private, PKCS8) and verify.pem (public, PKIX), RSA as the daemon wants; return both paths."""
    need_reader()
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signing, verifying = directory / "sign.pem", directory / "verify.pem"
    write_private(signing, key)
    verifying.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return signing, verifying


def write_private(path: Path, key: EllipticCurvePrivateKey | RSAPrivateKey) -> None:
    """Write a private key as PEM (PKCS8, no password), readable by its owner only."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _builder(
    common_name: str, issuer: x509.Name, key: EllipticCurvePrivateKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    from cryptography import x509

    until = datetime.now(UTC) + lifetime
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(datetime.now(UTC), until) - CLOCK_SKEW)
        .not_valid_after(until)
    )


def _names(node_id: str) -> list[x509.GeneralName]:
    from cryptography import x509

    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    if node_id:
        names.append(x509.OtherName(x509.ObjectIdentifier(NODE_ID_OID), _utf8_string(node_id)))
    return names


def _utf8_string(text: str) -> bytes:
    """Encode a text of at most 255 bytes as DER."""
    data = text.encode()
    return bytes((0x0C, len(data)) if len(data) < 0x80 else (0x0C, 0x81, len(data))) + data


def _name(common_name: str) -> x509.Name:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _sha256() -> hashes.SHA256:
    from cryptography.hazmat.primitives import hashes

    return hashes.SHA256()
