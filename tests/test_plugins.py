"""Plugins that are installed for ansible-runner are told what happens, by everything that brings results home."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Commands, Project, ServedNode

HTTP_STYLE = """
import json, os

def _post(config, kind, data):
    path = config.settings.get("runner_http_url") or os.environ.get("RUNNER_HTTP_URL")
    with open(path, "a") as out:
        out.write(json.dumps([kind, config.ident, data]) + "\\n")

def status_handler(runner_config, data):
    _post(runner_config, "status", data)

def event_handler(runner_config, data):
    _post(runner_config, "event", data)
"""


class Installed:
    """Distributions on PYTHONPATH that register plugins."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self._directory = directory
        self.told = directory / "told"
        directory.mkdir()
        environment["PYTHONPATH"] = str(directory)

    def add(self, name: str, source: str) -> None:
        """Install a distribution with one module, as pip lays it out."""
        (self._directory / f"{name}.py").write_text(source)
        info = self._directory / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[ansible_runner.plugins]\n{name} = {name}\n")

    @property
    def received(self) -> list[list[Any]]:
        """What the plugin received: kind, ident and data."""
        return [json.loads(line) for line in self.told.read_text().splitlines()]

    def check(self, ident: str) -> None:
        """Check that a plugin received a whole job, once, in order."""
        assert {entry[1] for entry in self.received} == {ident}
        statuses = [data["status"] for kind, _ident, data in self.received if kind == "status"]
        assert statuses == ["starting", "running", "successful"]
        counters = [data["counter"] for kind, _ident, data in self.received if kind == "event"]
        assert counters == list(range(1, len(counters) + 1))
        assert any("Hello world!" in data.get("stdout", "") for _kind, _ident, data in self.received)


@pytest.fixture
def installed(environment: dict[str, str], tmp_path: Path, project: Project) -> Installed:
    """A plugin in the style of ansible-runner-http, whose address is in `env/settings`."""
    made = Installed(tmp_path / "site", environment)
    made.add("http_style", HTTP_STYLE)
    project.write("env/settings", json.dumps({"runner_http_url": str(made.told)}))
    return made


def results_of(commands: Commands, project: Project) -> bytes:
    """Return the stream of a worker that ran a project."""
    sent = commands.ours("transmit", project.path, "-p", "test.yml", "-i", "job")
    return commands.ours("worker", stdin=sent.stdout).stdout


def test_process_tells_plugins(installed: Installed, commands: Commands, project: Project) -> None:
    """`process` tells a plugin each status and event once; the worker does not."""
    results = results_of(commands, project)
    assert not installed.told.exists()
    done = commands.ours("process", project.path, "-i", "job", stdin=results)
    assert (done.rc, done.stderr) == (0, "")
    installed.check("job")
    assert list((project.artifacts("job") / "job_events").iterdir())


@pytest.mark.parametrize("command", ["run", "attach"])
def test_jobs_through_a_node_tell_plugins(
    installed: Installed, commands: Commands, project: Project, node: ServedNode, command: str
) -> None:
    """`run`, and `attach` after a `submit`, tell a plugin the whole job once."""
    words = ["-p", "test.yml", "-i", "job", "--socket", str(node.socket)]
    first = commands.ours("run" if command == "run" else "submit", project.path, *words)
    assert first.rc == 0, first.stderr
    if command == "attach":
        assert not installed.told.exists()
        assert commands.ours("attach", project.path, "-i", "job").rc == 0
    installed.check("job")


def test_the_python_interface_tells_plugins(
    installed: Installed, commands: Commands, project: Project, tmp_path: Path
) -> None:
    """Beside the caller's own handlers, which decide what is kept; settings may be given by the call."""
    results = tmp_path / "results"
    results.write_bytes(results_of(commands, project))
    (project.path / "env/settings").unlink()
    code = (
        "import sys, receptor_runner\n"
        "with open(sys.argv[1], 'rb') as source:\n"
        "    receptor_runner.run(streamer='process', _input=source, private_data_dir=sys.argv[2], ident='job',\n"
        "        quiet=True, settings={'runner_http_url': sys.argv[3]}, event_handler=lambda event: None)\n"
    )
    done = commands.run("python", "-c", code, results, project.path, installed.told)
    assert (done.rc, done.stderr) == (0, "")
    installed.check("job")
    assert list((project.artifacts("job") / "job_events").iterdir()) == []


def test_plugins_that_fail_do_no_harm(installed: Installed, commands: Commands, project: Project) -> None:
    """A plugin that cannot be loaded, and one that raises, are named on stderr; all else goes on."""
    installed.add("absent_module", "import nothing_of_this_name\n")
    installed.add(
        "broken", "def status_handler(config, data): raise OSError('no route')\nevent_handler = len\n"
    )
    done = commands.ours("process", project.path, "-i", "job", stdin=results_of(commands, project))
    assert done.rc == 0
    assert "cannot load the plugin absent_module: No module named 'nothing_of_this_name'" in done.stderr
    assert "the plugin broken failed: OSError: no route" in done.stderr
    installed.check("job")


def test_ansible_runner_finds_the_same_plugins(
    installed: Installed, commands: Commands, project: Project, tmp_path: Path
) -> None:
    """What a plugin hears from us is what it hears from ansible-runner's own process."""
    results = results_of(commands, project)
    commands.ours("process", project.path, "-i", "job", stdin=results)
    ours = [[kind, data] for kind, _ident, data in installed.received]
    installed.told.unlink()
    (tmp_path / "peer/env").mkdir(parents=True)
    (tmp_path / "peer/env/settings").write_bytes((project.path / "env/settings").read_bytes())
    source = HTTP_STYLE.replace("config.ident", "None")
    (tmp_path / "site/http_style.py").write_text(source)
    commands.environment["RUNNER_HTTP_URL"] = str(installed.told)
    commands.peer("process", tmp_path / "peer", "-i", "job", stdin=results)
    assert [[kind, data] for kind, _ident, data in installed.received] == ours
