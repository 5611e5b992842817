"""Every config that is rendered starts the real daemon, as v1 and as v2."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from receptor_runner.mesh.authority import Authority, make_signing_pair
from receptor_runner.mesh.local import Daemon
from receptor_runner.receptor_config.render import render
from tests.harness import ask_node

pytestmark = [pytest.mark.receptor, pytest.mark.usefixtures("receptor_bin")]

Form = Literal["v1", "v2"]

TLS = {"tls": "true", "tls_cert": "{dir}/n1.crt", "tls_key": "{dir}/n1.key", "tls_ca": "{dir}/ca.crt"}
LISTEN = {"listen": "127.0.0.1:0"}
PEERS = {"peers": "127.0.0.1:9,localhost:9"}

RENDERED: dict[str, tuple[str, dict[str, str]]] = {
    "local": ("local", {}),
    "local-further-work": ("local", {"work.cat": "/bin/cat", "work.echo": "/bin/echo one 'two three'"}),
    "local-shared-socket": ("local", {"permissions": "0660", "log_level": "debug"}),
    "control": ("control", LISTEN),
    "control-odd-names": ("control", {**LISTEN, "allowed_peers": "007,yes,hop", "max_idle": "60s"}),
    "control-full": ("control", {**TLS, **LISTEN, **PEERS, "signing_key": "{dir}/sign.pem"}),
    "control-open": ("control", {**LISTEN, "firewall": "no"}),
    "worker-out": ("worker", PEERS),
    "worker-listens": ("worker", {**LISTEN, "accept_from": "control,control2"}),
    "worker-full": ("worker", {**TLS, **PEERS, "verify_key": "{dir}/verify.pem", "keepalive_seconds": "30"}),
    "hop": ("hop", {**LISTEN, **PEERS}),
    "hop-tls": ("hop", {**TLS, **LISTEN, "tls_min_13": "false"}),
}
FAST = {"local", "control-full", "worker-full", "hop-tls"}


@pytest.fixture
def daemon(short_dir: Path) -> Iterator[Daemon]:
    """A daemon without files, not started yet."""
    made = Daemon(name="n1", directory=short_dir / "n1")
    made.config.parent.mkdir(parents=True)
    yield made
    made.stop()


@pytest.mark.parametrize("form", ["v1", "v2"])
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if case in FAST else [pytest.mark.slow]) for case in RENDERED]
)
def test_rendered_config_starts_the_daemon(daemon: Daemon, case: str, form: Form) -> None:
    """The daemon serves the socket with the wanted mode and says nothing of an error."""
    template, settings = RENDERED[case]
    make_keys(daemon.directory, settings)
    filled = {key: value.replace("{dir}", str(daemon.directory)) for key, value in settings.items()}
    own = {"id": daemon.name, "socket": str(daemon.socket), "datadir": str(daemon.datadir)}
    daemon.config.write_text(render(template, {**own, **filled}, form=form, on_this_machine=True))
    daemon.start(*(["--config-v2"] if form == "v2" else []))

    assert ask_node(daemon.socket, "status")["NodeID"] == "n1"
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == int(settings.get("permissions", "0600"), 8)
    assert "ERROR" not in daemon.log.read_text()


def make_keys(directory: Path, settings: dict[str, str]) -> None:
    """Make what the settings name."""
    if "tls" in settings:
        lifetime = timedelta(days=1)
        authority = Authority.create("test", lifetime=lifetime)
        pair = authority.issue(["n1"], ["127.0.0.1"], lifetime=lifetime)
        (directory / "ca.crt").write_bytes(authority.pair().public)
        (directory / "n1.crt").write_bytes(pair.public)
        (directory / "n1.key").write_bytes(pair.private)
    if {"signing_key", "verify_key"} & settings.keys():
        signing = make_signing_pair()
        (directory / "sign.pem").write_bytes(signing.private)
        (directory / "verify.pem").write_bytes(signing.public)
