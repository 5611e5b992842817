"""Certificates and keys are read as the daemon reads them."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from receptor_runner.mesh.authority import Authority
from receptor_runner.receptor_config.certificates import (
    read_certificate,
    read_private_key,
    read_signing_key,
    read_verifying_key,
)


def test_node_id_and_dates(assets: Path) -> None:
    """The node id, the dates and the key are read from a certificate."""
    facts = read_certificate(assets / "n1.crt")

    assert facts.node_ids == ("n1",)
    assert facts.not_before < datetime.now(UTC) < facts.not_after
    assert facts.public_key == read_private_key(assets / "n1.key")


def test_long_node_id(tmp_path: Path) -> None:
    """A node id whose length does not fit one byte of DER is read whole."""
    lifetime = timedelta(days=1)
    pair = Authority.create("test", lifetime=lifetime).issue(["n" * 200], ["localhost"], lifetime=lifetime)
    (tmp_path / "long.crt").write_bytes(pair.public)

    assert read_certificate(tmp_path / "long.crt").node_ids == ("n" * 200,)


@pytest.mark.receptor
def test_certificates_that_the_daemon_makes(receptor_bin: str, tmp_path: Path) -> None:
    """A certificate made with the daemon's own commands carries the ids it was asked for."""
    run = [receptor_bin, "--cert-init", "commonname=ca", "bits=2048", "outcert=ca.crt", "outkey=ca.key"]
    request = [
        receptor_bin,
        "--cert-makereq",
        "bits=2048",
        "commonname=n",
        "nodeid=n1",
        "nodeid=n2",
    ]
    request += ["outreq=n.csr", "outkey=n.key"]
    sign = [
        receptor_bin,
        "--cert-signreq",
        "req=n.csr",
        "cacert=ca.crt",
        "cakey=ca.key",
        "outcert=n.crt",
        "verify=yes",
    ]
    for command in (run, request, sign):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    facts = read_certificate(tmp_path / "n.crt")
    assert facts.node_ids == ("n1", "n2")
    assert facts.public_key == read_signing_key(tmp_path / "n.key")


def test_signing_pair_belongs_together(assets: Path) -> None:
    """The two halves of a signing pair give the same public key."""
    assert read_signing_key(assets / "sign.pem") == read_verifying_key(assets / "verify.pem")
    assert read_signing_key(assets / "another" / "sign.pem") != read_verifying_key(assets / "verify.pem")


def test_keys_the_daemon_cannot_use(assets: Path, tmp_path: Path) -> None:
    """An elliptic key cannot sign, a private key is no public one, OpenSSH's form and passwords are told."""
    openssh, locked = tmp_path / "openssh", tmp_path / "locked"
    openssh.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    locked.write_bytes(_locked_key())

    with pytest.raises(ValueError, match="not an RSA key"):
        read_signing_key(assets / "n1.key")
    with pytest.raises(ValueError, match="PKIX"):
        read_verifying_key(assets / "sign.pem")
    with pytest.raises(ValueError, match="OpenSSH"):
        read_signing_key(openssh)
    with pytest.raises(ValueError, match="password"):
        read_private_key(locked)


def _locked_key() -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
