"""The rules of the house: who may import whom, what is public, and that importing changes nothing."""

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
    "run",
    "run_async",
]


def imported_by(path: Path) -> set[str]:
    """Return the modules that a file imports, at any depth of its code."""
    names: set[str] = set()
    for statement in ast.walk(ast.parse(path.read_text())):
        if isinstance(statement, ast.Import):
            names |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            names.add(statement.module)
    return names


def room_of(path: Path) -> str:
    """Return the room a module stands in: a folder, or its own name at the top."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def violations(rooms: set[str], forbidden: tuple[str, ...], allowed: tuple[str, ...] = ()) -> list[str]:
    """Return who of some rooms imports what it must not."""
    return [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in MODULES
        if room_of(path) in rooms and str(path.relative_to(PACKAGE)) not in allowed
        for name in imported_by(path)
        if name.split(".")[0] in forbidden or name.startswith(forbidden)
    ]


ALL_ROOMS = {room_of(path) for path in MODULES}


def test_errors_and_stream_import_only_the_standard_library() -> None:
    """The core of the wire needs nothing that is not in Python itself."""
    foreign = [
        f"{path.name} imports {name}"
        for path in MODULES
        if room_of(path) in {"errors", "stream"}
        for name in imported_by(path)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not name.startswith(("receptor_runner.errors", "receptor_runner.stream"))
    ]
    assert foreign == []


def test_execution_and_receptor_do_not_know_each_other() -> None:
    """What the worker needs and what the control side needs stay apart."""
    assert violations({"execution"}, ("receptor_runner.receptor", "receptor_runner.node")) == []
    assert violations({"receptor", "node"}, ("receptor_runner.execution",)) == []
    assert violations({"node"}, ("receptor_runner.receptor",)) == []


def test_only_the_adapter_imports_receptorctl() -> None:
    """receptorctl's manners are known in one module."""
    assert violations(ALL_ROOMS, ("receptorctl",), allowed=("receptor/control/connection.py",)) == []


def test_the_codec_is_chosen_in_one_place() -> None:
    """Whether base64 is the standard library's or a faster one is known in one module."""
    assert violations(ALL_ROOMS, ("pybase64",), allowed=("codec.py",)) == []


def test_only_the_command_line_imports_click() -> None:
    """The library has no command line in it, and never imports the one it has."""
    assert violations(ALL_ROOMS - {"cli"}, ("click", "rich")) == []
    assert violations(ALL_ROOMS - {"cli", "__main__"}, ("receptor_runner.cli",)) == []


def test_ansible_is_never_imported() -> None:
    """Ansible runs as a child process; only the callback plugin, which runs in there, imports it."""
    assert violations(ALL_ROOMS, ("ansible", "ansible_runner")) == []


def test_only_the_command_line_prints_or_exits() -> None:
    """Below the command line, results are returned and errors are raised."""
    found = [
        f"{path.relative_to(PACKAGE)}:{call.lineno}"
        for path in MODULES
        if room_of(path) not in {"cli", "__main__"}
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {"print", "sys.exit", "exit", "quit"}
    ]
    assert [
        place for place in found if not place.startswith(("node/command_runner", "execution/guardian"))
    ] == []


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
