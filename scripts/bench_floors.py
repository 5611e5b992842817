#!/usr/bin/env python3
"""The least that each phase must do, without anything around it: what the machine allows.

    bench_floors.py NAME INPUT NEW

does the work NAME on INPUT, writes what it writes to NEW, and prints the seconds it took.
"""

from __future__ import annotations

import base64
import os
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

CHUNK = 192 * 1024


def read_big(source: Path, _new: Path) -> None:
    """Read every file of a directory, take its checksum and encode it."""
    from isal import isal_zlib
    from pybase64 import b64encode

    checksum = 0
    for path in source.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    checksum = isal_zlib.crc32(chunk, checksum)
                    b64encode(chunk)


def read_many(source: Path, _new: Path) -> None:
    """Walk a directory and read every file."""
    for parent, _names, files in os.walk(source):
        for name in sorted(files):
            descriptor = os.open(f"{parent}/{name}", os.O_RDONLY)
            os.read(descriptor, os.fstat(descriptor).st_size)
            os.close(descriptor)


def compress_text(source: Path, _new: Path) -> None:
    """Walk a directory, read every file and compress it at the fastest level of the standard library."""
    for path in source.rglob("*"):
        if path.is_file():
            base64.b64encode(zlib.compress(path.read_bytes(), 1))


def write_big(source: Path, new: Path) -> None:
    """Decode the base64 of a stream and write it."""
    from pybase64 import b64decode

    size = CHUNK // 3 * 4
    with source.open("rb") as file, new.open("wb") as target:
        while not file.readline().startswith(b'{"zipfile"'):
            pass
        while len(chunk := file.read(size)) == size:
            target.write(b64decode(chunk))


def write_many(source: Path, new: Path) -> None:
    """Create as many files as a directory holds, with a mode and a time."""
    names = [path for path in source.rglob("*") if path.is_file()]
    new.mkdir()
    directory = os.open(new, os.O_RDONLY)
    for number, path in enumerate(names):
        descriptor = os.open(str(number), os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=directory)
        os.write(descriptor, bytes(path.stat().st_size))
        os.fchmod(descriptor, 0o644)
        os.utime(descriptor, (1, 1))
        os.close(descriptor)


def write_events(source: Path, new: Path) -> None:
    """Write a file for each event of a stream."""
    new.mkdir()
    directory = os.open(new, os.O_RDONLY)
    with source.open("rb") as lines:
        for number, line in enumerate(line for line in lines if line.startswith(b'{"uuid"')):
            name = f"{number}-{line[10:46].decode()}.json"
            file = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=directory)
            os.write(file, line)
            os.close(file)


FLOORS: dict[str, Callable[[Path, Path], None]] = {
    floor.__name__: floor
    for floor in (read_big, read_many, compress_text, write_big, write_many, write_events)
}

if __name__ == "__main__":
    began = time.perf_counter()
    FLOORS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
    print(time.perf_counter() - began)
