"""Runs one job on both workers at the same time, each in a home of its own, and takes their streams apart."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from receptor_runner.archive.pack import pack
from receptor_runner.job import Job
from receptor_runner.stream.decoder import Decoder
from receptor_runner.stream.encoder import EOF_LINE, encode_archive, encode_line
from receptor_runner.stream.messages import (
    ArchiveData,
    Event,
    Message,
    Noise,
    StatusLine,
    Unknown,
    WorkerLine,
)
from receptor_runner.transmit import prepare
from tests.harness import BIN

TEMPLATE = Path(__file__).with_name("private_data_dir")
PROGRAMS = {
    "peer": BIN / "ansible-runner",
    "ours": BIN / "receptor-runner",
    "here": BIN / "receptor-runner",
    "box0": BIN / "receptor-runner",
}
"""The workers; their names are equally long, so that lines are wrapped and filled alike."""

_PEER_TRANSMIT = (
    "import json, sys, ansible_runner;"
    "ansible_runner.run(streamer='transmit', private_data_dir=sys.argv[1], **json.loads(sys.argv[2]))"
)
_LIMIT_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came from a worker.

    Attributes:
        root: the directory that holds its home, temporary and private data directory.
        exit_code: its own.
        lines: its statuses and events, in their order.
        artifacts: contents of the files in its archive, by name.
        stream: all that it wrote.
        stderr: what it wrote beside the stream.
    """

    root: Path
    exit_code: int
    lines: list[dict[str, Any]]
    artifacts: Mapping[str, bytes]
    stream: bytes
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its events."""
        return [line for line in self.lines if "status" not in line]

    @property
    def statuses(self) -> list[dict[str, Any]]:
        """Its status lines."""
        return [line for line in self.lines if "status" in line]


def make_private_data_dir(path: Path, files: Mapping[str, str]) -> Path:
    """Copy the common private data directory, and add files to it; a script among them is executable."""
    shutil.copytree(TEMPLATE, path)
    for name, content in files.items():
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
        place.chmod(0o755 if content.startswith("#!") else 0o644)
    return path


def transmit_ours(private_data_dir: Path, options: Mapping[str, Any]) -> bytes:
    """Return the stream that our transmit makes."""
    with closing(prepare(Job.from_kwargs(options), private_data_dir)) as shipment:
        return b"".join(shipment.chunks())


def transmit_peer(private_data_dir: Path, options: Mapping[str, Any]) -> bytes:
    """Return the stream that the peer's transmit makes."""
    words = [sys.executable, "-c", _PEER_TRANSMIT, str(private_data_dir), json.dumps(options)]
    return subprocess.run(words, capture_output=True, check=True, timeout=_LIMIT_S).stdout


def transmit_raw(private_data_dir: Path, options: Mapping[str, Any]) -> bytes:
    """Return a stream that holds the options just as they are, so that the worker alone deals with them."""
    with closing(pack(private_data_dir)) as packed:
        archive = b"".join(encode_archive(packed.size, packed.chunks()))
    return encode_line({"kwargs": dict(options)}) + archive + EOF_LINE


def run_both(
    directory: Path, streams: Mapping[str, bytes], environment: Mapping[str, str] | None = None
) -> dict[str, Ran]:
    """Run both workers at once, each on its stream.

    Args:
        directory: an empty directory for everything that they need and make.
        streams: the stream from transmit, by the name of the worker.
        environment: variables that the workers have besides the usual ones.
    """
    variables = environment or {}
    running = {name: _start(directory / name, name, stream, variables) for name, stream in streams.items()}
    return {name: _finish(directory / name, process) for name, process in running.items()}


def _start(root: Path, name: str, stream: bytes, further: Mapping[str, str]) -> subprocess.Popen[bytes]:
    for part in ("home", "tmp"):
        (root / part).mkdir(parents=True)
    (root / "in").write_bytes(stream)
    environment = {
        "HOME": str(root / "home"),
        "LANG": "C.UTF-8",
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "TMPDIR": str(root / "tmp"),
        "TERM": "xterm-256color",  # without a terminal type ansible shows no colours
        "PYTHONHASHSEED": "0",  # the order of sets is a matter of chance otherwise
        **further,
    }
    with open(root / "in", "rb") as source, open(root / "out", "wb") as out, open(root / "err", "wb") as err:
        words = [str(PROGRAMS[name]), "worker", "--private-data-dir", str(root / "pdd")]
        return subprocess.Popen(words, stdin=source, stdout=out, stderr=err, env=environment, cwd=root)


def _finish(root: Path, process: subprocess.Popen[bytes]) -> Ran:
    try:
        exit_code = process.wait(_LIMIT_S)
    finally:
        process.kill()
        process.wait()
    stream = (root / "out").read_bytes()
    lines, archive = _taken_apart(stream)
    return Ran(
        root=root,
        exit_code=exit_code,
        lines=lines,
        artifacts=dict(_files(archive)),
        stream=stream,
        stderr=(root / "err").read_text(errors="replace"),
    )


def _taken_apart(stream: bytes) -> tuple[list[dict[str, Any]], bytes]:
    decoder = Decoder()
    messages: list[Message] = [*decoder.feed(stream), *decoder.finish()]
    decoder.check_complete()
    lines = [message.data for message in messages if isinstance(message, StatusLine | Event)]
    strange = [message for message in messages if isinstance(message, Noise | Unknown | WorkerLine)]
    assert not strange, str(strange)
    return lines, b"".join(message.data for message in messages if isinstance(message, ArchiveData))


def _files(archive: bytes) -> Iterator[tuple[str, bytes]]:
    if not archive:
        return
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        for name in packed.namelist():
            yield name, b"" if name.endswith("/") else packed.read(name)
