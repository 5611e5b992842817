"""House rules that import-linter cannot keep: who prints, what is public, and what an import loads and changes."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
import receptor_runner

PACKAGE = Path(receptor_runner.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "callback" not in path.parts)

PUBLIC = [
    "ArchiveError",
    "ConfigError",
    "ContactLost",
    "IdentExists",
    "InputFailed",
    "Interrupted",
    "Job",
    "MissingInput",
    "NeverStarted",
    "NodeUnavailable",
    "Outcome",
    "OutputFailed",
    "Rejected",
    "Runner",
    "RunnerError",
    "Status",
    "StreamError",
    "UnknownUnit",
    "Unreachable",
    "UsageError",
    "WorkerFailed",
    "__version__",
    "exceptions",
    "interface",
    "run",
    "run_async",
]


def room_of(path: Path) -> str:
    """Return the room a module stands in: a folder, or its own name at the top."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def test_only_the_command_line_prints_or_exits() -> None:
    """Below the command line, results are returned and errors are raised."""
    found = [
        f"{path.relative_to(PACKAGE)}:{call.lineno}"
        for path in MODULES
        if room_of(path) not in {"cli", "__main__"}
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {"print", "sys.exit", "exit", "quit"}
    ]
    assert [place for place in found if not place.startswith(("node/start", "execution/guardian"))] == []


def test_the_public_names_are_listed() -> None:
    """What is public is decided, not accidental; each name can be imported."""
    assert receptor_runner.__all__ == PUBLIC
    for name in PUBLIC:
        assert getattr(receptor_runner, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    """The lazy package says plainly what it does not have."""
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = receptor_runner.nope


CENSUS = """
import json, logging, os, signal, sys, threading
def census():
    return {
        "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)],
        "environment": dict(os.environ), "cwd": os.getcwd(), "threads": threading.active_count(),
        "root": [str(h) for h in logging.getLogger().handlers], "level": logging.getLogger().level,
        "descriptors": sorted(os.listdir("/proc/self/fd")), "files": sorted(os.listdir(".")),
    }
before = census()
import receptor_runner
from receptor_runner import api, process, transmit, worker, runner, job
import receptor_runner.receptor.jobs.follow, receptor_runner.receptor.jobs.submit
import receptor_runner.node.serve, receptor_runner.receptor_config.render
print(json.dumps([before, census(), sorted(sys.modules)]))
"""


def test_importing_changes_nothing(tmp_path: Path) -> None:
    """No logger, signal, environment, file, thread or descriptor is touched by importing all of the library."""
    done = subprocess.run([sys.executable, "-c", CENSUS], capture_output=True, cwd=tmp_path, check=True)
    before, after, _modules = json.loads(done.stdout)
    assert before == after


def test_the_package_itself_imports_next_to_nothing() -> None:
    """`import receptor_runner` is free; what is heavy comes when it is used."""
    code = "import sys, receptor_runner; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"yaml", "click", "tenacity", "receptorctl", "jinja2", "json"} & set(done.stdout.split())


def test_the_worker_starts_light() -> None:
    """`worker` imports neither receptorctl, tenacity nor jinja2."""
    code = (
        "import sys, receptor_runner.worker, receptor_runner.cli.worker, receptor_runner.execution.run;"
        "print(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tenacity", "receptorctl", "jinja2", "ansible"} & set(done.stdout.split())
