"""What only several files together can show, and what depends on where the linter runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from receptor_runner.receptor_config.findings import Finding, Severity
from receptor_runner.receptor_config.linter import check_files, check_text
from receptor_runner.receptor_config.render import render

SIGNER = (
    "- node: {id: hub, datadir: /var/lib/x}\n- local-only:\n"
    "- work-signing:\n    privatekey: @dir@/sign.pem\n    tokenexpiration: 5m\n"
)
VERIFIER = (
    "- node: {id: edge, datadir: /var/lib/x}\n- local-only:\n"
    "- work-verification: {publickey: @dir@/verify.pem}\n"
    "- work-command: {worktype: a, command: /bin/cat, verifysignature: true}\n"
    "- control-service: {service: control}\n"
)
PLAIN = "- node: {id: n3, datadir: /var/lib/x}\n- local-only:\n"


def check(tmp_path: Path, *texts: str) -> list[Finding]:
    """Write the texts as f0.yml, f1.yml ... and check them together."""
    paths = [tmp_path / f"f{number}.yml" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return check_files(paths)


def told(findings: list[Finding]) -> list[tuple[str, str, Severity]]:
    """Return what matters of each finding."""
    return [(Path(finding.file).stem, finding.code, finding.severity) for finding in findings]


def test_signing_and_verification_belong_together(tmp_path: Path, assets: Path) -> None:
    """A signer and a verifier with the two halves of one key are fine."""
    assert check(tmp_path, *(text.replace("@dir@", str(assets)) for text in (SIGNER, VERIFIER))) == []


def test_signing_without_verification_across_files(tmp_path: Path, assets: Path) -> None:
    """Among several files a lone signer is a warning; alone it is a note, for the rest may be elsewhere."""
    signer = SIGNER.replace("@dir@", str(assets))

    assert told(check(tmp_path, PLAIN, signer)) == [("f1", "signing-without-verification", Severity.WARNING)]
    assert told(check(tmp_path, signer)) == [("f0", "signing-without-verification", Severity.NOTE)]


def test_verification_without_signing_across_files(tmp_path: Path, assets: Path) -> None:
    """Among several files a lone verifier is a warning."""
    verifier = VERIFIER.replace("@dir@", str(assets))

    assert told(check(tmp_path, verifier, PLAIN)) == [
        ("f0", "verification-without-signing", Severity.WARNING)
    ]


def test_keys_of_two_pairs(tmp_path: Path, assets: Path) -> None:
    """A verifier whose key is not the signer's other half would refuse every job."""
    signer = SIGNER.replace("@dir@", str(assets / "another"))
    verifier = VERIFIER.replace("@dir@", str(assets))

    assert told(check(tmp_path, signer, verifier)) == [("f1", "key-pair", Severity.ERROR)]


def test_node_ids_are_unique(tmp_path: Path) -> None:
    """Two files of one node id are told."""
    assert told(check(tmp_path, PLAIN, PLAIN)) == [("f1", "duplicate-node-id", Severity.WARNING)]


@pytest.mark.parametrize(("tls", "codes"), [("", []), ("\n    tls: cli", ["tls-one-sided"])])
def test_both_ends_of_a_link_agree_on_tls(tmp_path: Path, assets: Path, tls: str, codes: list[str]) -> None:
    """A peer with TLS that meets a plain listener of that port is told."""
    listener = PLAIN.replace("local-only:", "tcp-listener: {port: 27199}")
    peer = (
        "- node: {id: n1, datadir: /var/lib/x}\n"
        f"- tls-client: {{name: cli, cert: {assets}/n1.crt, key: {assets}/n1.key}}\n"
        f"- tcp-peer:\n    address: hub:27199{tls}\n"
    )

    assert [finding.code for finding in check(tmp_path, listener, peer)] == codes


def test_rendered_mesh_is_clean(tmp_path: Path) -> None:
    """The three roles rendered for one mesh have no error between them, wherever they will run."""
    texts = {
        "control": {"signing_key": "/k/sign.pem", "tls": "true"},
        "hop": {"peers": "hub:27199", "tls": "true"},
        "worker": {"peers": "hop:27199", "verify_key": "/k/verify.pem", "tls": "true"},
    }
    paths = []
    for name, settings in texts.items():
        paths.append(tmp_path / f"{name}.yml")
        paths[-1].write_text(render(name, settings))

    assert check_files(paths, on_this_machine=False) == []


def test_paths_are_not_looked_at_elsewhere() -> None:
    """For another machine neither sockets' directories nor commands nor keys are looked for."""
    text = (
        "- node: {id: n1, datadir: /var/lib/x}\n- work-command: {worktype: a, command: /nowhere/a}\n"
        "- control-service: {filename: /nowhere/c.sock}\n"
        "- unix-socket-server: {filename: /etc, remotenode: n2, remoteservice: web}\n"
        "- tls-server: {name: s, cert: /nowhere/c, key: /nowhere/k}\n- tcp-listener: {port: 1, tls: s}\n"
    )

    assert check_text(text, on_this_machine=False) == []
    assert [finding.code for finding in check_text(text)] == [
        "command-missing",
        "socket-dir-missing",
        "socket-not-a-socket",
        "file-missing",
        "file-missing",
    ]


def seen_by_nobody(text: str, assets: Path) -> list[tuple[str, int]]:
    """Return code and line of each finding of a user who may look into nobody's directories."""
    assets.chmod(0o711)
    os.seteuid(65534)
    try:
        findings = check_text(text)
    finally:
        os.seteuid(0)
    return [(finding.code, finding.line) for finding in findings]


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can make a file that another user cannot read, and be both"
)
def test_unreadable_key(tmp_path: Path, assets: Path) -> None:
    """A key that this user may not read is told, not mistaken for a broken one."""
    key = assets / "locked.key"
    key.write_bytes((assets / "n1.key").read_bytes())
    key.chmod(0o600)
    text = (
        "- node: {id: n1, datadir: /var/lib/x}\n- tcp-listener: {port: 1, tls: s}\n"
        f"- tls-server: {{name: s, cert: {assets}/n1.crt, key: {key}}}\n"
    )

    assert seen_by_nobody(text, assets) == [("file-unreadable", 3)]


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file or directory"), (b"\xff\xfe\x00", "can't decode byte 0xff")]
)
def test_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A missing or binary file is a finding in the system's words, and hides none of the others'."""
    bad, good = tmp_path / "f0.yml", tmp_path / "f1.yml"
    if content is not None:
        bad.write_bytes(content)
    good.write_text("- node: {id: localhost, datadir: /var/lib/x}\n- local-only:\n")
    findings = check_files([bad, good])

    assert told(findings) == [
        ("f0", "unreadable", Severity.ERROR),
        ("f1", "node-id-reserved", Severity.ERROR),
    ]
    assert findings[0].line == 1
    assert words in findings[0].message


def test_unreadable_file_may_hold_the_other_half(tmp_path: Path, assets: Path) -> None:
    """That nobody verifies what is signed is only noted while a file could not be read."""
    signer = tmp_path / "f0.yml"
    signer.write_text(SIGNER.replace("@dir@", str(assets)))

    assert told(check_files([signer, tmp_path / "f1.yml"])) == [
        ("f0", "signing-without-verification", Severity.NOTE),
        ("f1", "unreadable", Severity.ERROR),
    ]


def test_file_that_is_named_twice(tmp_path: Path) -> None:
    """A file that is named twice is checked once, and is not a second node of its id."""
    path = tmp_path / "f0.yml"
    path.write_text(PLAIN)

    assert check_files([path, path]) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user that may not look")
def test_nothing_is_claimed_of_what_may_not_be_looked_at(tmp_path: Path, assets: Path) -> None:
    """Of a socket, a command and a key's mode in a directory of somebody else nothing is said but that."""
    locked = assets / "locked"
    locked.mkdir(mode=0o700)
    text = (
        f"- node: {{id: n1, datadir: /var/lib/x}}\n- tcp-listener: {{port: 1, tls: s}}\n"
        f"- work-command: {{worktype: a, command: {locked}/run}}\n"
        f"- control-service: {{filename: {locked}/c.sock}}\n"
        f"- tls-server: {{name: s, cert: {assets}/n1.crt, key: {locked}/n1.key}}\n"
    )

    assert seen_by_nobody(text, assets) == [("file-unreadable", 5)]
