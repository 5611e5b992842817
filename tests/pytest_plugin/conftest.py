"""Somebody's Ansible project with tests of its own, which pytest runs as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.harness import LOCALHOST, Census

PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Say hello
      debug: msg="{{ greeting | default('Hello') }} world"
      tags: [hello]
    - name: Write a file
      copy: {content: "{{ inventory_hostname }}", dest: "{{ out }}/{{ inventory_hostname }}"}
"""
FAILING = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Rescued
      block: [{command: /bin/false}]
      rescue: [{debug: {msg: rescued}}]
    - name: Ignored
      command: /bin/false
      ignore_errors: true
    - name: Install it
      fail: msg="No package named foo"
"""
LONG = """
- hosts: all
  gather_facts: false
  tasks:
    - command: touch {{ out }}/started
    - command: sleep 600
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The project, and its tests.

    Attributes:
        pytester: runs pytest in it.
        temporary: where nodes and workers make their directories.
        census: knows the processes that were started for it.
    """

    pytester: pytest.Pytester
    temporary: Path
    census: Census

    @property
    def path(self) -> Path:
        """The project's directory."""
        return self.pytester.path

    def run(self, tests: str, *options: str) -> pytest.RunResult:
        """Write the tests and run them."""
        self.pytester.makepyfile(test_site=tests)
        return self.pytester.runpytest_subprocess(*self.options, *options, timeout=100)

    @property
    def options(self) -> tuple[str, ...]:
        """Options for every run: the order of tests, and each warning is an error."""
        return ("-p", "no:randomly", "-W", "error")

    def left_over(self) -> list[Path]:
        """Return what nodes and workers left in the temporary directory."""
        return list(self.temporary.glob("receptor-runner-*"))


@pytest.fixture
def suite(pytester: pytest.Pytester, short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    """A project with `site.yml`, `failing.yml`, `long.yml` and an inventory of two hosts; nothing is left of it."""
    census = Census()
    for name, value in {**census.variables, "TMPDIR": str(short_dir), "OUT": str(short_dir)}.items():
        monkeypatch.setenv(name, value)
    for name in ("RECEPTORCTL_SOCKET", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    hosts = [LOCALHOST.replace("localhost ", f"{name} out={short_dir} ", 1) for name in ("web1", "web2")]
    for name, text in {
        "site.yml": PLAYBOOK,
        "failing.yml": FAILING,
        "long.yml": LONG,
        "hosts.ini": "".join(hosts),
    }.items():
        (pytester.path / name).write_text(text)
    yield Suite(pytester=pytester, temporary=short_dir, census=census)
    census.kill()


def start(suite: Suite, *options: str) -> subprocess.Popen[bytes]:
    """Start pytest beside the test."""
    words = [sys.executable, "-m", "pytest", *suite.options, "--basetemp=base", *options]
    return subprocess.Popen(
        words, cwd=suite.path, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
