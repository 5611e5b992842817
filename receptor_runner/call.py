"""The arguments of `run`, sorted: callbacks, streams, the node, the phase, and what is left: the job's own options."""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar

from receptor_runner.errors import UsageError
from receptor_runner.handlers import EventHandler
from receptor_runner.job import new_ident
from receptor_runner.system.cancel import CancelToken
from receptor_runner.system.directories import PREFIX
from receptor_runner.system.files import remove_tree
from receptor_runner.system.pipes import Writable

if TYPE_CHECKING:
    from receptor_runner.receptor.nodes.destination import Destination

log = logging.getLogger("receptor_runner.api")

Streamer = Literal["transmit", "worker", "process"]

_CANCEL_POLL_S = 0.2
_SHARED = frozenset({"ident", "artifact_dir", "settings", "quiet"})
"""Arguments that are about the call and are options of the job too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """The functions of the caller, with ansible-runner's names."""

    event_handler: EventHandler | None = None
    status_handler: Callable[..., Any] | None = None
    artifacts_handler: Callable[[str], Any] | None = None
    finished_callback: Callable[[Any], Any] | None = None
    cancel_callback: Callable[[], bool] | None = None

    @contextlib.contextmanager
    def polling_cancel(self, cancel: CancelToken) -> Iterator[None]:
        """Poll the cancel callback in a thread; when it returns true, or fails, request the cancel.

        Raises:
            Exception: what the callback raised, at the end.
        """
        if self.cancel_callback is None:
            yield
            return
        over = threading.Event()
        failures: list[Exception] = []
        arguments = (self.cancel_callback, cancel, over, failures)
        poller = threading.Thread(target=_poll_cancel, args=arguments, daemon=True)
        poller.start()
        try:
            yield
        finally:
            over.set()
            poller.join()
        if failures:
            raise failures[0]

    def is_canceled(self, cancel: CancelToken) -> bool:
        """Return whether a cancel was requested, by the token or by the callback."""
        if not cancel.requested and self.cancel_callback is not None and self.cancel_callback():
            cancel.request()
        return cancel.requested


def _poll_cancel(
    callback: Callable[[], bool], cancel: CancelToken, over: threading.Event, failures: list[Exception]
) -> None:
    while not over.wait(_CANCEL_POLL_S):
        try:
            wanted = callback()
        except Exception as error:
            failures.append(error)
            wanted = True
        if wanted:
            cancel.request()
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Where a phase reads and writes its streams."""

    _input: BinaryIO | None = None
    _output: Writable | None = None

    def source(self) -> BinaryIO:
        """Return the input: the given one, else stdin.

        Raises:
            UsageError: none was given, and stdin is closed or has no bytes.
        """
        return self._input or _standard(sys.stdin, "_input", "stdin")

    def sink(self) -> Writable:
        """Return the output: the given one, else stdout.

        Raises:
            UsageError: none was given, and stdout is closed or takes no bytes.
        """
        return self._output or _standard(sys.stdout, "_output", "stdout")


def _standard(stream: Any, argument: str, name: str) -> Any:
    # None in services and under pythonw; an object without `buffer` in notebooks and under test runners.
    binary = getattr(stream, "buffer", None)
    if binary is None:
        raise UsageError(
            f"{name} cannot carry a stream", cause=f"sys.{name} is {stream!r}", hint=f"pass {argument}"
        )
    return binary


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """Where a whole job runs, and in how many slices."""

    socket: str | None = None
    node: str | Sequence[str] | None = None
    slices: int | None = None
    rerun_slices: Sequence[int] = ()
    work_type: str | None = None
    params: str | None = None
    tls_client: str | None = None
    ttl: str | None = None
    sign: bool | None = None
    store: bool = True
    compression_level: int | None = None
    retry_deadline: float | None = None
    retry_max_wait: float | None = None

    @property
    def in_slices(self) -> bool:
        """Whether the job runs in slices."""
        is_many = self.node is not None and not isinstance(self.node, str)
        return is_many or self.slices is not None or bool(self.rerun_slices)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that are named."""
        return (self.node,) if isinstance(self.node, str) else tuple(self.node or ())

    def destination(self) -> Destination:
        """Return the destination; of several nodes the first.

        Retries are as given, else as the environment says, else the default.
        """
        from receptor_runner.receptor.control.retry import RetryPolicy
        from receptor_runner.receptor.nodes.destination import Destination

        return Destination(
            socket=self.socket,
            node=next(iter(self.nodes), None),
            work_type=self.work_type,
            params=self.params,
            tls_client=self.tls_client,
            ttl=self.ttl,
            sign=self.sign,
            store=self.store,
            compression_level=self.compression_level,
            retry=RetryPolicy.from_environment(
                deadline_s=self.retry_deadline, max_wait_s=self.retry_max_wait
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseOptions:
    """Which phase runs, where its files are, and how it goes about."""

    streamer: Streamer | None = None
    private_data_dir: str | Path | None = None
    artifact_dir: str | Path | None = None
    ident: Any = None
    settings: dict[str, Any] | None = None
    quiet: bool = False
    keepalive_seconds: float | None = None
    only_transmit_kwargs: bool = False
    include_artifacts: bool = False
    rerun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """The private data directory of a call.

    Attributes:
        path: where it is.
        is_temporary: made for this call.
    """

    path: Path
    is_temporary: bool = False

    @classmethod
    def given_or_temporary(cls, given: str | Path | None) -> Directory:
        """Return the directory that the caller names, or make one."""
        if given is not None:
            return cls(path=Path(given))
        return cls(path=Path(tempfile.mkdtemp(prefix=PREFIX)), is_temporary=True)

    def remove(self) -> None:
        """Remove it if it was made for this call."""
        if self.is_temporary:
            remove_tree(self.path)

    def remove_with(self, owner: object) -> None:
        """Remove it once `owner` is gone, at the latest when the program ends, if it was made for this call."""
        if self.is_temporary:
            weakref.finalize(owner, remove_tree, self.path)

    def remove_unused(self) -> None:
        """Remove it if it was made for this call and holds no artifacts: they lead to a job that may be running."""
        if not (self.path / "artifacts").exists():
            self.remove()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The arguments of one call of `run`."""

    phase: PhaseOptions
    callbacks: Callbacks
    streams: Streams
    node: NodeOptions
    job_options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> Call:
        """Sort the arguments; what belongs to none of the groups is an option of the job.

        Raises:
            UsageError: the streamer is unknown.
        """
        given = dict(arguments)
        streamer = given.get("streamer")
        if streamer not in {None, "transmit", "worker", "process"}:
            raise UsageError(f"unknown streamer `{streamer}`", hint='use "transmit", "worker" or "process"')
        if streamer is None and given.get("ident") is None:
            given["ident"] = new_ident()
        groups = {"phase": PhaseOptions, "callbacks": Callbacks, "streams": Streams, "node": NodeOptions}
        sorted_out: dict[str, Any] = {name: _taken(kind, given) for name, kind in groups.items()}
        names = {entry.name for kind in groups.values() for entry in fields(kind)} - _SHARED
        options = {key: value for key, value in given.items() if key not in names}
        return cls(**sorted_out, job_options=options)

    @property
    def ident(self) -> str | None:
        """The ident as text."""
        return None if self.phase.ident is None else str(self.phase.ident)


Group = TypeVar("Group")


def _taken(kind: type[Group], given: Mapping[str, Any]) -> Group:
    names = [entry.name for entry in fields(kind)]  # type: ignore[arg-type]  # each group is a dataclass
    return kind(**{name: given[name] for name in names if name in given})


class Display:
    """Prints the output of a job on stdout. A stdout that fails costs the display, never the job or its artifacts."""

    def __init__(self) -> None:
        self._is_broken = False

    def show(self, text: str) -> None:
        """Print a piece of output, as far as stdout has characters for it."""
        stream = sys.stdout
        if self._is_broken or stream is None:
            return
        try:
            encoding = getattr(stream, "encoding", None) or "utf-8"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            stream.flush()
        # Whatever the caller has put into the place of stdout may raise anything.
        except Exception as error:
            self._is_broken = True
            log.warning("the job's output is no longer displayed: %s: %s", type(error).__name__, error)
