"""Only regular files are read, and what is closed is named."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from receptor_runner.errors import MissingInput
from receptor_runner.system.files import open_regular, read_regular, reading


def test_what_is_no_regular_file_is_not_waited_for(short_dir: Path) -> None:
    """A FIFO, a socket, a device, a directory, a name below a file, links in a circle and nothing: no file."""
    os.mkfifo(short_dir / "fifo")
    (short_dir / "directory").mkdir()
    (short_dir / "file").touch()
    (short_dir / "circle").symlink_to("circle")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(short_dir / "socket"))
        for path in (
            *(
                short_dir / name
                for name in ("fifo", "directory", "socket", "file/below", "circle", "nothing")
            ),
            Path("/dev/zero"),
        ):
            assert read_regular(path) is None
            with pytest.raises(FileNotFoundError):
                open_regular(path)


def test_a_regular_file_is_read_through_a_link(tmp_path: Path) -> None:
    """What a link leads to counts."""
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link") == b"x"


def test_an_error_of_the_system_names_its_path(tmp_path: Path) -> None:
    """Whatever cannot be looked at is missing input with its name; what is ours passes."""
    with pytest.raises(MissingInput, match=f"cannot read {tmp_path}/x: Permission denied"), reading(tmp_path):
        raise PermissionError(13, "Permission denied", f"{tmp_path}/x")
    with pytest.raises(MissingInput, match="ours"), reading(tmp_path):
        raise MissingInput("ours")
