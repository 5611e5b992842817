"""What the config tests share: the real daemon, and a directory with good and bad keys."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from receptor_runner.mesh.authority import Authority, make_signing_pair
from tests.harness import short_directory


@pytest.fixture(scope="session")
def assets() -> Iterator[Path]:
    """A directory with a short name that holds the files the configs speak of."""
    with short_directory() as directory:
        authority = Authority.create("test", lifetime=timedelta(days=90))
        (directory / "ca.crt").write_bytes(authority.pair().public)
        for node_id in ("n1", "n2", "hub", "edge"):
            write_certificate(directory, authority, node_id)
        write_certificate(directory, authority, "plain", node_ids=[])
        write_certificate(directory, authority, "old", days=-1)
        write_certificate(directory, authority, "soon", days=3)
        for place in (directory, directory / "another"):
            place.mkdir(exist_ok=True)
            pair = make_signing_pair()
            write_private(place / "sign.pem", pair.private)
            (place / "verify.pem").write_bytes(pair.public)
        shutil.copy(directory / "n1.key", directory / "open.key")
        (directory / "open.key").chmod(0o644)
        (directory / "plain.txt").write_text("words\n")
        (directory / "plain.txt").chmod(0o600)
        (directory / "taken").mkdir()
        yield directory


def write_certificate(
    directory: Path, authority: Authority, name: str, *, node_ids: list[str] | None = None, days: int = 90
) -> None:
    """Write NAME.crt, which carries the name as node id or other ids, and NAME.key."""
    pair = authority.issue(
        [name] if node_ids is None else node_ids, ["localhost", "127.0.0.1"], lifetime=timedelta(days=days)
    )
    (directory / f"{name}.crt").write_bytes(pair.public)
    write_private(directory / f"{name}.key", pair.private)


def write_private(path: Path, content: bytes) -> None:
    """Write a key that only its owner may read."""
    path.touch(mode=0o600)
    path.write_bytes(content)


@pytest.fixture
def fill(assets: Path) -> Callable[[Path], str]:
    """Return a function that reads a config file and puts in the directory of keys and free ports."""

    def filled(path: Path) -> str:
        text = path.read_text().replace("@dir@", str(assets))
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            text = text.replace("@port@", str(one.getsockname()[1]))
            return text.replace("@port2@", str(two.getsockname()[1]))

    return filled
