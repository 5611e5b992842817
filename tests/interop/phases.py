"""Runs a job through any mix of our three phases and ansible-runner's, and makes what it leaves comparable."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from tests.harness import BIN, LOCALHOST, Project

OURS, PEER = "ours", "peer"
IDENT = "job"
PROGRAMS = {OURS: str(BIN / "receptor-runner"), PEER: str(BIN / "ansible-runner")}
PHASES = ("transmit", "worker", "process")


@dataclass(frozen=True, slots=True)
class Mix:
    """Whose phase is which.

    Attributes:
        transmit: "ours" or "peer"; so are the others.
    """

    transmit: str
    worker: str
    process: str

    def __str__(self) -> str:
        return "-".join((self.transmit, self.worker, self.process))


MIXES = tuple(Mix(*chosen) for chosen in product((PEER, OURS), repeat=3))
ALL_PEER = MIXES[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """A job of the matrix.

    Attributes:
        words: what transmit is asked for.
        rc: the job's return code.
        files: what lies in the private data directory besides the inventory.
    """

    words: tuple[str, ...]
    rc: int
    files: Mapping[str, str]


SITE = """
- name: first
  hosts: all
  gather_facts: false
  tasks:
    - name: a loop
      debug: {msg: "{{ item }} é ☃"}
      loop: [a, b]
    - name: a change
      copy: {content: "x\\n", dest: "{{ playbook_dir }}/made.txt", mode: "0600"}
      notify: tell
      diff: true
    - name: a hidden one
      debug: {msg: "{{ lookup('env', 'HOME') }}"}
      no_log: true
  handlers:
    - name: tell
      debug: {msg: told}
- name: second
  hosts: all
  gather_facts: false
  tasks:
    - block:
        - fail: {msg: on purpose}
      rescue:
        - set_stats: {data: {rescued: "yes"}}
    - debug: {msg: never}
      when: false
    - command: echo from the command
"""
FAILING = "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {msg: hi}}, {fail: {msg: no luck}}]\n"

PLAYS = {
    "playbook": Play(words=("-p", "site.yml"), rc=0, files={"project/site.yml": SITE}),
    "ad-hoc": Play(words=("-m", "debug", "-a", "msg=hi", "--hosts", "all"), rc=0, files={}),
    "role": Play(
        words=("-r", "greet", "--role-vars", "whom=world", "--role-skip-facts", "--hosts", "localhost"),
        rc=0,
        files={"roles/greet/tasks/main.yml": "- debug: {msg: 'hello {{ whom }}'}\n", "project/keep": ""},
    ),
    "failed": Play(words=("-p", "failing.yml"), rc=2, files={"project/failing.yml": FAILING}),
    "missing-playbook": Play(words=("-p", "/absent.yml"), rc=1, files={"project/keep": ""}),
}


def run(play: Play, mix: Mix, directory: Path) -> dict[str, Any]:
    """Run a job through a mix of phases in a new directory; return all that it left, flat and normalised.

    Args:
        play: the job.
        mix: whose phases.
        directory: an empty directory; it becomes the home as well, so that no settings of a person count.
    """
    project = Project(directory / "pdd")
    project.write("inventory/hosts", LOCALHOST)
    for name, content in play.files.items():
        project.write(name, content)
    codes, shown = _pipe(_commands(play, mix, project, directory), directory)
    lines = [line for line in shown.splitlines() if line.strip()]
    found: dict[str, Any] = {"codes": dict(zip(PHASES, codes, strict=True)), "shown": lines}
    found |= _artifacts(project.artifacts(IDENT))
    return dict(flat(Normaliser(directory).clean(found)))


def _commands(play: Play, mix: Mix, project: Project, directory: Path) -> list[list[str]]:
    return [
        [PROGRAMS[mix.transmit], "transmit", str(project.path), *play.words, "-i", IDENT],
        [PROGRAMS[mix.worker], "worker", "--private-data-dir", str(directory / "worker")],
        [PROGRAMS[mix.process], "process", str(project.path), "-i", IDENT],
    ]


def _pipe(commands: list[list[str]], directory: Path) -> tuple[list[int], str]:
    """Run commands as a pipeline; return their exit codes and what the last one printed."""
    environment = {
        "HOME": str(directory),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
    }
    running: list[subprocess.Popen[bytes]] = []
    for words in commands:
        source = running[-1].stdout if running else subprocess.DEVNULL
        running.append(subprocess.Popen(words, stdin=source, stdout=subprocess.PIPE, env=environment))
        if not isinstance(source, int) and source:
            source.close()
    shown, _ = running[-1].communicate(timeout=100)
    return [process.wait(20) for process in running], shown.decode()


def _artifacts(artifacts: Path) -> dict[str, Any]:
    """Return modes, files and events of an artifacts directory."""
    paths = [path for path in sorted(artifacts.rglob("*")) if path.parent.name != "job_events"]
    files = {path.name: path.read_bytes().decode() for path in paths if path.is_file()}
    events = [json.loads(path.read_bytes()) for path in (artifacts / "job_events").iterdir()]
    return {
        "modes": {str(path.relative_to(artifacts)): oct(path.stat().st_mode) for path in paths},
        "event_modes": sorted({oct(path.stat().st_mode) for path in (artifacts / "job_events").iterdir()}),
        "command": json.loads(files.pop("command")),
        "stdout": files.pop("stdout").split("\n"),
        "files": files,
        "events": sorted(events, key=lambda event: int(event["counter"])),
    }


class Normaliser:
    """Replaces what differs from run to run: ids, times, process ids and this run's directories.

    The same id becomes the same word everywhere, so that references between events are compared too.
    """

    _ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b")
    _TEXTS = (
        (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d+(\+00:00)?"), "<time>"),
        (re.compile(r"\b\d:\d\d:\d\d\.\d+"), "<delta>"),
        (re.compile(r"ansible-tmp-[\d.]+-\d+-\d+"), "<ansible-tmp>"),
        (re.compile(r"ansible-local-\w+"), "<ansible-local>"),
        (re.compile(r"tmp[a-z0-9_]{8}\b|^\.[a-z0-9_]{8}$"), "<tmp>"),
    )

    def __init__(self, directory: Path) -> None:
        self._directory = str(directory)
        self._ids: dict[str, str] = {}

    def clean(self, value: Any, key: str = "") -> Any:
        """Return a value with all of that replaced."""
        if isinstance(value, dict):
            return {self._text(name): self.clean(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self.clean(item) for item in value]
        if isinstance(value, str):
            return self._text(value)
        return f"<{key}>" if key in {"pid", "duration"} and value is not None else value

    def _text(self, text: str) -> str:
        text = text.replace(self._directory, "<dir>")
        text = self._ID.sub(lambda found: self._ids.setdefault(found[0], f"<id {len(self._ids)}>"), text)
        for pattern, word in self._TEXTS:
            text = pattern.sub(word, text)
        return text


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of every leaf of a nested value; an empty container is a leaf."""
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    if not items or not value:
        yield path, value
        return
    for key, item in items:
        yield from flat(item, f"{path}/{key}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that two runs do not agree on."""

    path: str
    wanted: Any
    found: Any


def differences(reference: dict[str, Any], found: dict[str, Any]) -> list[Difference]:
    """Return where two flat results differ; what one of them lacks is `...`."""
    return [
        Difference(path=path, wanted=reference.get(path, ...), found=found.get(path, ...))
        for path in sorted({*reference, *found})
        if reference.get(path, ...) != found.get(path, ...)
    ]
