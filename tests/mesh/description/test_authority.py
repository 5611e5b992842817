"""The authority of a mesh, as openssl sees what it makes."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from receptor_runner.mesh.authority import Authority, KeyPair, make_signing_pair, verifying_key
from receptor_runner.receptor_config.certificates import (
    read_certificate,
    read_signing_key,
    read_verifying_key,
)

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    """An authority for ten days."""
    return Authority.create("test CA", lifetime=10 * DAY)


def openssl(*words: str | Path) -> str:
    """Run openssl and return what it prints."""
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_openssl_accepts_the_chain(authority: Authority, tmp_path: Path) -> None:
    """A certificate verifies for both purposes, for its address and no other."""
    (tmp_path / "ca.crt").write_bytes(authority.pair().public)
    (tmp_path / "n.crt").write_bytes(authority.issue(["n"], ["n.example.com"], lifetime=DAY).public)
    trusted = ("-x509_strict", "-CAfile", tmp_path / "ca.crt")

    for purpose in ("sslserver", "sslclient"):
        openssl(
            "verify", *trusted, "-purpose", purpose, "-verify_hostname", "n.example.com", tmp_path / "n.crt"
        )
    with pytest.raises(AssertionError, match="hostname mismatch"):
        openssl("verify", *trusted, "-verify_hostname", "localhost", tmp_path / "n.crt")


@pytest.mark.parametrize("node_id", ["n", "é" * 32, "x" * 64])
def test_node_id_survives(authority: Authority, tmp_path: Path, node_id: str) -> None:
    """Whatever the id, short or long, it is read back as it was."""
    (tmp_path / "n.crt").write_bytes(authority.issue([node_id], ["192.0.2.1"], lifetime=DAY).public)

    assert read_certificate(tmp_path / "n.crt").node_ids == (node_id,)


def test_lifetimes(authority: Authority, tmp_path: Path) -> None:
    """A certificate is valid a little before now, and at most as long as its authority."""
    (tmp_path / "n.crt").write_bytes(authority.issue(["n"], ["n"], lifetime=99 * DAY).public)
    facts = read_certificate(tmp_path / "n.crt")

    assert facts.not_after == authority.not_after
    assert facts.not_before < datetime.now(UTC) - timedelta(minutes=4)


def test_authority_comes_back(authority: Authority) -> None:
    """What was stored issues certificates that the authority trusts; another authority does not."""
    from cryptography import x509

    again = Authority.load(authority.pair())
    certificate = x509.load_pem_x509_certificate(again.issue(["n"], ["n"], lifetime=DAY).public)
    assert authority.trusts(certificate)
    assert not Authority.create("test CA", lifetime=DAY).trusts(certificate)


def test_pairs_that_do_not_fit_are_refused(authority: Authority) -> None:
    """A key of another kind, of another authority, or none at all is a ValueError."""
    other = Authority.create("other", lifetime=DAY)

    for private in (other.pair().private, make_signing_pair().private, b"", b"x"):
        with pytest.raises(ValueError, match=r"."):
            Authority.load(KeyPair(public=authority.pair().public, private=private))


def test_signing_pair_is_what_the_daemon_reads(tmp_path: Path) -> None:
    """RSA, the private key in PKCS8, the public key in PKIX form, and they belong together."""
    pair = make_signing_pair()
    (tmp_path / "s").write_bytes(pair.private)
    (tmp_path / "v").write_bytes(pair.public)

    assert read_signing_key(tmp_path / "s") == read_verifying_key(tmp_path / "v")
    assert verifying_key(pair.private) == pair.public
