"""What the config tests share: the real daemon, and a directory with good and bad keys."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.harness import short_directory


@pytest.fixture(scope="session")
def assets() -> Iterator[Path]:
    """A directory with a short name that holds the files the configs speak of."""
    from mesh_keys import Authority, make_signing_pair

    with short_directory() as directory:
        authority = Authority(directory)
        for node_id in ("n1", "n2", "hub", "edge"):
            authority.issue(node_id)
        authority.issue("plain", carries="")
        authority.issue("old", lifetime=timedelta(days=-1))
        authority.issue("soon", lifetime=timedelta(days=3))
        make_signing_pair(directory)
        make_signing_pair(directory / "another")
        shutil.copy(directory / "n1.key", directory / "open.key")
        (directory / "open.key").chmod(0o644)
        (directory / "plain.txt").write_text("words\n")
        (directory / "plain.txt").chmod(0o600)
        (directory / "taken").mkdir()
        yield directory


@pytest.fixture
def fill(assets: Path) -> Callable[[Path], str]:
    """Return a function that reads a config file and puts in the directory of keys and free ports."""

    def filled(path: Path) -> str:
        text = path.read_text().replace("@dir@", str(assets))
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            text = text.replace("@port@", str(one.getsockname()[1]))
            return text.replace("@port2@", str(two.getsockname()[1]))

    return filled
