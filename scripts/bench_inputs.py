"""What the benchmarks work on: private data directories, streams of jobs, and streams of results."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

BIN = Path(sys.executable).parent
PEER = "ansible-runner"
HOSTS_LINE = (
    'host{} ansible_connection=local ansible_python_interpreter="{{{{ ansible_playbook_python }}}}"\n'
)
NO_PLAY = ["-m", "ping", "--binary", "/bin/true"]
"""A job that runs nothing, for what a worker takes without ansible."""


def environment() -> dict[str, str]:
    """Return the environment of every measured command."""
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": ""}


def big_file(directory: Path, scale: float) -> None:
    """Make a private data directory with one large file that does not shrink."""
    project = directory / "pdd" / "project"
    project.mkdir(parents=True)
    with open(project / "big", "wb") as file:
        for _piece in range(int(500 * scale)):
            file.write(os.urandom(1 << 20))


def many_files(directory: Path, scale: float) -> None:
    """Make a private data directory with many small files."""
    for number in range(int(20_000 * scale)):
        parent = directory / "pdd" / "project" / str(number % 200)
        parent.mkdir(parents=True, exist_ok=True)
        (parent / str(number)).write_text(f"{number:0900}")


def text_files(directory: Path, scale: float) -> None:
    """Make a private data directory with 50 MB of real text: what is installed here."""
    project = directory / "pdd" / "project"
    project.mkdir(parents=True)
    left = int(50_000_000 * scale)
    for number, path in enumerate(_installed_text()):
        content = path.read_bytes()
        (project / f"{number}{path.suffix}").write_bytes(content)
        left -= len(content)
        if left < 0:
            return


def _installed_text() -> Iterator[Path]:
    for root in (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib")):
        for kind in ("yml", "md", "rst", "j2", "json", "ps1", "py"):
            yield from sorted(Path(root).rglob(f"*.{kind}"))


def playbook(directory: Path, hosts: int, tasks: str) -> None:
    """Make a job, and the stream of it."""
    pdd = directory / "pdd"
    (pdd / "project").mkdir(parents=True)
    (pdd / "inventory").mkdir()
    (pdd / "inventory" / "hosts").write_text("".join(HOSTS_LINE.format(number) for number in range(hosts)))
    (pdd / "project" / "p.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
    _transmit(directory, ["-p", "p.yml"])


def many_events(directory: Path, scale: float) -> None:
    """Make a job with many events."""
    tasks = "".join(f"    - debug: msg='task {number}'\n" for number in range(10))
    playbook(directory, int(200 * scale) or 1, tasks)


def big_output(directory: Path, scale: float) -> None:
    """Make a job with a task that prints 20 MB."""
    size = int(20_000_000 * scale)
    playbook(
        directory, 1, f"    - command: {sys.executable} -c \"print('0123456789abcde\\n' * {size // 16})\"\n"
    )


def results(directory: Path, scale: float, times: int = 100) -> None:
    """Make the result stream of a job with 400 events, many times over."""
    many_events(directory, scale / 10)
    with open(directory / "job", "rb") as job:
        words = [str(BIN / PEER), "worker"]
        lines = subprocess.run(words, stdin=job, stdout=subprocess.PIPE, env=environment(), check=False)
    *head, verdict, archive, _end = lines.stdout.splitlines(keepends=True)
    events = [line for line in head if line.startswith(b'{"uuid"')]
    with open(directory / "results", "wb") as stream:
        stream.writelines(line for line in head if line not in events)
        for number in range(times):
            stream.writelines(line.replace(b'{"uuid": "', b'{"uuid": "%04d' % number, 1) for line in events)
        stream.writelines([verdict, archive, _end])


def _transmit(directory: Path, words: list[str]) -> None:
    with open(directory / "job", "wb") as stream:
        transmit = [str(BIN / PEER), "transmit", str(directory / "pdd"), *words]
        subprocess.run(transmit, stdout=stream, env=environment(), check=True)


def packed(fill: Callable[[Path, float], None]) -> Callable[[Path, float], None]:
    """Return a preparation that also packs the directory, for a worker that runs nothing."""

    def fill_and_pack(directory: Path, scale: float) -> None:
        fill(directory, scale)
        _transmit(directory, NO_PLAY)

    return fill_and_pack


def two_tasks(directory: Path, _scale: float) -> None:
    """Make a short job: one host, two tasks."""
    playbook(directory, 1, "    - debug: msg=one\n    - debug: msg=two\n")


def sparse_file(directory: Path, scale: float) -> None:
    """Make a private data directory with a file of 10 GB of zeros that takes no room."""
    project = directory / "pdd" / "project"
    project.mkdir(parents=True)
    with open(project / "huge", "wb") as file:
        file.truncate(int(10_000_000_000 * scale))


def many_results(directory: Path, scale: float) -> None:
    """Make the result stream of 1,000,000 events."""
    results(directory, scale, times=2500)
