"""A node for one job on this machine: started with the job, started again on the same units if it is gone.

Only light modules are imported here: the node starts while its client still imports the others and packs the job.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import socket
import stat
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path

from receptor_runner.artifacts import DIRECTORY_MODE, make_directory, write_atomically
from receptor_runner.errors import NodeUnavailable, OutputFailed, pasteable
from receptor_runner.system.directories import NODE_PREFIX, state_directories
from receptor_runner.system.files import FULL, remove_tree
from receptor_runner.system.interpreter import PACKAGE_ROOT, program_words
from receptor_runner.system.sockets import short_address

NODE_ID = "primary"
WORK_TYPE = "receptor-runner"
SOCKET_NAME = "control.sock"
CONFIG_NAME = "receptor.yml"
LOG_NAME = "node.log"
_LOCK_NAME = "start.lock"
_START_DEADLINE_S = 30.0
_GREETING_DEADLINE_S = 5.0
_ANSWER_BYTES = 1 << 16
_PROGRAM = str(PACKAGE_ROOT / "receptor_runner" / "node" / "start.py")


class EmbeddedNode:
    """The node of one job: a directory with its units, and a process that serves them while they are needed.

    The process has a session of its own, and the environment, umask, limits and interpreter of the caller that started
    it. It ends, and removes the directory, once its unit is released.

    Args:
        directory: the node's directory, as recorded; it need not exist any more.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._is_new = False
        self._starting: subprocess.Popen[bytes] | None = None
        self._lifeline: socket.socket | None = None
        self._at_end: weakref.finalize[[], EmbeddedNode] | None = None

    @classmethod
    def create(cls, environment: Mapping[str, str] | None = None) -> EmbeddedNode:
        """Make a node and begin its start; `ensure_running` waits until it serves.

        Args:
            environment: where the user's directories are looked up; by default this process's.

        Raises:
            OutputFailed: no place for its directory can be written.
        """
        node = cls(_make_directory(environment))
        node._is_new = True
        with node._failing():
            node._begin()
        return node

    @property
    def socket(self) -> str:
        """The path of its control socket, of any length."""
        return str(self.directory / SOCKET_NAME)

    def ensure_running(self) -> None:
        """Return once the node serves its socket; it is started if it does not.

        Raises:
            NodeUnavailable: it does not start, or its directory belongs to another user.
            OutputFailed: its directory cannot be written.
        """
        with self._lock, self._failing():
            if self._starting is None:
                self._begin_again()
            self._wait_until_ready()
            self._is_new = False

    def check_owner(self) -> None:
        """Check that its directory, if it exists, is private to us: anybody may create one of its name in /tmp.

        Raises:
            NodeUnavailable: it belongs to another user, or others may enter it.
        """
        with contextlib.suppress(FileNotFoundError):
            status = self.directory.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
                raise NodeUnavailable(
                    f"{self.directory} is not a private directory of this user",
                    cause="it holds the job's embedded node",
                    hint=pasteable("ls", "-ld", self.directory),
                )

    def close(self) -> None:
        """Tell the node that the client which started it is done: without a unit it ends."""
        if self._at_end is not None:
            self._at_end()
            self._lifeline = None
        if self._starting is not None:
            self._starting.wait()
            self._starting = None

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Remove what a start that fails has made, except a log that tells more than the error."""
        try:
            yield
        except _Crashed as error:
            raise error.failure from error
        except NodeUnavailable:
            self._clear()
            raise
        except OSError as error:
            self._clear()
            raise _cannot_start(self.directory, error) from error

    def _clear(self) -> None:
        """Remove the directory if this object made it, for itself alone: any other may hold units."""
        if self._is_new:
            self.close()
            if not _is_served(self.socket):
                remove_tree(self.directory)

    def _begin_again(self) -> None:
        self.check_owner()
        self._is_new = not self.directory.exists()
        make_directory(self.directory)
        # Of several clients that find the node gone, one starts it and the others wait for that one.
        with open(self.directory / _LOCK_NAME, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_served(self.socket):
                self._begin()
                self._wait_until_ready()

    def _begin(self) -> None:
        """Start the process. The socket that is its standard input shows it whether this client is still there."""
        self.close()
        _write_config(self.directory)
        self._lifeline, its_end = socket.socketpair()
        self._at_end = weakref.finalize(self, self._lifeline.close)
        with its_end, open(self.directory / LOG_NAME, "ab") as log_file:
            self._starting = subprocess.Popen(
                [sys.executable, "-S", "-P", _PROGRAM, "node", str(self.directory)],
                stdin=its_end.fileno(),
                stdout=log_file,
                stderr=log_file,
                start_new_session=True,
            )

    def _wait_until_ready(self) -> None:
        if self._starting is None or self._lifeline is None:
            return
        self._lifeline.settimeout(_START_DEADLINE_S)
        try:
            answer = json.loads(_read_line(self._lifeline) or b"null")
        except TimeoutError:
            self._starting.kill()
            answer = {"what": f"no answer within {_START_DEADLINE_S:g} s"}
        self._starting.wait()
        self._starting = None
        if answer == {}:
            return
        log = self.directory / LOG_NAME
        if answer is None and (line := _last_line(log)):
            raise _Crashed(_does_not_start(line, pasteable("cat", log)))
        answer = answer or {"what": "it exited without a message"}
        cause = ": ".join(part for part in (answer["what"], answer.get("cause")) if part)
        raise _does_not_start(cause, answer.get("hint"))


class _Crashed(Exception):
    """The node ended without a word: its log is all that is known.

    Args:
        failure: the error for the caller.
    """

    def __init__(self, failure: NodeUnavailable) -> None:
        super().__init__(str(failure))
        self.failure = failure


def _does_not_start(cause: str, hint: str | None) -> NodeUnavailable:
    return NodeUnavailable("the embedded node does not start", cause=cause, hint=hint)


def _cannot_start(directory: Path, error: OSError) -> OutputFailed:
    look = ("df", "-h") if error.errno in FULL else ("ls", "-ld")
    return OutputFailed(
        f"cannot start the embedded node in {directory.parent}",
        cause=error.strerror or str(error),
        hint=pasteable(*look, directory.parent),
    )


def _make_directory(environment: Mapping[str, str] | None) -> Path:
    """Make a directory that can hold a socket and locks, which some shared filesystems cannot."""
    problems = []
    for place in (*state_directories(environment), None):
        try:
            parent = make_directory(place) if place else _temporary_directory()
            return _make_node_directory(parent / f"{NODE_PREFIX}{os.urandom(4).hex()}")
        except OSError as error:
            problems.append(f"{place or 'the temporary directory'}: {error.strerror or error}")
    raise OutputFailed(
        "no directory for the embedded node can be written",
        cause="; ".join(problems),
        hint="set XDG_STATE_HOME or TMPDIR to a directory that can be written",
    )


def _make_node_directory(directory: Path) -> Path:
    directory.mkdir(mode=DIRECTORY_MODE)
    try:
        directory.chmod(DIRECTORY_MODE)
        _check_filesystem(directory)
    except OSError:
        remove_tree(directory)
        raise
    return directory


def _temporary_directory() -> Path:
    import tempfile  # several others come with it, and hardly anybody needs this place

    return Path(tempfile.gettempdir())


def _check_filesystem(directory: Path) -> None:
    probe = directory / SOCKET_NAME
    with socket.socket(socket.AF_UNIX) as listening, short_address(str(probe)) as address:
        listening.bind(address)
    probe.unlink()
    with open(directory / _LOCK_NAME, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def _write_config(directory: Path) -> None:
    """Write the receptor.yml, unless it is there: in YAML's JSON form, so that the node needs no YAML parser."""
    path = directory / CONFIG_NAME
    if path.exists():
        return
    command, *params = program_words()
    blocks: list[dict[str, object]] = [
        {"node": {"id": NODE_ID, "datadir": str(directory / "units")}},
        {"local-only": None},
        {
            "work-command": {
                "worktype": WORK_TYPE,
                "command": command,
                "params": shlex.join([*params, "worker"]),
                "allowruntimeparams": True,
            }
        },
        {"control-service": {"service": "control", "filename": str(directory / SOCKET_NAME)}},
    ]
    lines = ",\n".join(json.dumps(block) for block in blocks)
    write_atomically(path, f"[{lines}]\n".encode())


def _is_served(path: str) -> bool:
    """Return whether a node greets at a socket; one that is too busy to greet counts."""
    try:
        with socket.socket(socket.AF_UNIX) as client, short_address(path) as address:
            client.settimeout(_GREETING_DEADLINE_S)
            client.connect(address)
            return client.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def _read_line(source: socket.socket) -> bytes:
    """Return a line, or nothing if the other end is closed without one."""
    line = b""
    while not line.endswith(b"\n"):
        part = source.recv(_ANSWER_BYTES)
        if not part:
            return b""
        line += part
    return line


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
