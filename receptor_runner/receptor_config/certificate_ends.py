"""When the certificates that a receptor.yml names end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from receptor_runner.receptor_config.certificates import read_certificate
from receptor_runner.receptor_config.document import Document

_KEYS = ("cert", "clientcas", "rootcas")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateEnd:
    """When a certificate ends.

    Attributes:
        path: its file.
        not_after: its end, UTC.
    """

    path: Path
    not_after: datetime


def certificate_end(path: Path) -> CertificateEnd:
    """Return when the first certificate of a PEM file ends.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no certificate.
    """
    return CertificateEnd(path=path, not_after=read_certificate(path).not_after)


def certificate_ends(document: Document) -> Iterator[CertificateEnd]:
    """Yield when each certificate ends that the TLS blocks of a file name, each file once.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file holds no certificate.
    """
    blocks = document.all("tls-server", "tls-client")
    paths = (Path(block.text(key)) for block in blocks for key in _KEYS if block.text(key))
    yield from map(certificate_end, dict.fromkeys(paths))
