"""A work-command that plays a part: `actor.py DIRECTORY PART`. It needs the standard library only, to start fast."""

import base64
import io
import json
import os
import signal
import sys
import time
import zipfile
from pathlib import Path


def say(value: object) -> None:
    """Write one message of the stream."""
    os.write(1, json.dumps(value).encode() + b"\n")


def event(counter: int, text: str) -> dict[str, object]:
    """Return an event that prints a text."""
    return {"uuid": f"u-{counter}", "counter": counter, "stdout": text, "event": "verbose"}


def end(status: str) -> None:
    """Say the final status and leave."""
    say({"status": status})
    say({"eof": True})
    sys.exit(0 if status == "successful" else 2)


def note(directory: Path) -> None:
    """Count this run and take in the payload."""
    with (directory / "runs").open("a") as file:
        file.write("x")
    while os.read(0, 1 << 20):
        pass


def wait(directory: Path) -> None:
    """Wait at the gate."""
    (directory / "waiting").touch()
    while not (directory / "open").exists():
        time.sleep(0.02)


def play(directory: Path, part: str, number: int) -> None:
    """Play a part."""
    signal.signal(signal.SIGINT, lambda *_: end("canceled"))
    note(directory)
    if part == "empty":
        sys.exit(0)
    if part == "garbage":
        os.write(1, b"\x00\xff this is no stream \x1b[31m\n" * 3)
        sys.exit(3)
    say({"status": "starting", "command": ["x"], "env": {}, "cwd": "/"})
    say({"status": "running"})
    say(event(1, "before"))
    if part == "short":
        os.close(1)
        os.close(2)
        wait(directory)
        sys.exit(0)
    if part == "stubborn":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if part in {"smuggler", "torn"}:
        archive = smuggled()
        say({"zipfile": len(archive)})
        os.write(1, base64.b64encode(archive)[: 40 if part == "torn" else None])
        sys.exit(0)
    if part == "noisy":
        os.write(2, b"a warning of the node: clock skew\n")
    if part == "silent":
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if part == "flood":
        flood(number)
    if part in {"gate", "stubborn", "silent"}:
        wait(directory)
    say(event(number + 2, "after"))
    end("successful")


def smuggled() -> bytes:
    """Return an archive whose only entry is a link that leads out."""
    link = zipfile.ZipInfo("out")
    link.create_system = 3
    link.external_attr = 0o120777 << 16
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(link, "/etc")
    return archive.getvalue()


def flood(number: int) -> None:
    """Say a great many events."""
    batch: list[str] = []
    for counter in range(2, number + 2):
        batch.append(
            f'{{"uuid": "u-{counter}", "counter": {counter}, "stdout": "ok: [host{counter % 97}]",'
            f' "event": "runner_on_ok",'
            f' "event_data": {{"host": "host{counter % 97}", "task": "a task of the play"}}}}\n'
        )
        if len(batch) == 5000:
            os.write(1, "".join(batch).encode())
            batch = []
    data = "".join(batch).encode()
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    play(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)
