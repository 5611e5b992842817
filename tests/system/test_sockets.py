"""Unix sockets below long paths."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from receptor_runner.system.sockets import MAX_ADDRESS_BYTES, short_address


def test_a_path_that_fits_is_its_own_address(short_dir: Path) -> None:
    """Nothing is opened for a path that fits."""
    with short_address(str(short_dir / "s")) as address:
        assert address == str(short_dir / "s")


def test_a_long_path_is_reached(short_dir: Path) -> None:
    """Bound and connected to through its directory; no descriptor stays open."""
    directory = short_dir / ("long" * 30)
    directory.mkdir()
    path = str(directory / "socket")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        with short_address(path) as address:
            assert len(address) <= MAX_ADDRESS_BYTES
            server.bind(address)
        server.listen()
        with short_address(path) as address:
            client.connect(address)
    assert Path(path).is_socket()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_directory_that_does_not_exist_is_the_systems_error(short_dir: Path) -> None:
    """It is told as for a short path."""
    with pytest.raises(FileNotFoundError), short_address(str(short_dir / ("long" * 30) / "s")):
        pass
