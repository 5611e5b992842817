"""A callback plugin that reports what happens in a playbook, event by event, over a channel of its own.

Ansible loads this file with its own interpreter, possibly in a container, so it imports only the standard library and
ansible-core (Python 3.8, ansible-core 2.14 and newer).

Each message is one line of JSON on the channel: `{"text": ..., "fields": {...}}`, the text that an event displayed and
the fields that describe it. Text that belongs to no event is `{"text": ...}`. The environment variable
RECEPTOR_RUNNER_EVENTS names the channel: the number of an inherited descriptor, or the path of a FIFO.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import gc
import json
import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from ansible import constants as C
from ansible.plugins.loader import callback_loader
from ansible.utils.display import Display

DOCUMENTATION = """
    name: receptor_runner_events
    type: stdout
    short_description: reports events to receptor-runner
    description:
      - Displays what the original stdout callback displays, and reports each event to receptor-runner.
    requirements:
      - set as the stdout callback by receptor-runner
    extends_documentation_fragment:
      - default_callback
"""

CHANNEL_VARIABLE = "RECEPTOR_RUNNER_EVENTS"
CENSORED = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"
TEXT_LIMIT = 10_000_000
DEFAULT_RESULT_LIMIT = 700_000
LEVELS = ("debug", "verbose", "deprecated", "warning", "system_warning", "error")
JOB_NUMBERS = (
    ("job_id", "JOB_ID"),
    ("ad_hoc_command_id", "AD_HOC_COMMAND_ID"),
    ("project_update_id", "PROJECT_UPDATE_ID"),
)
FAILURES = frozenset({"runner_on_failed", "runner_on_async_failed", "runner_item_on_failed"})

IS_AD_HOC = bool(os.environ.get("AD_HOC_COMMAND_ID"))
_BASE_NAME = os.environ.get("ORIGINAL_STDOUT_CALLBACK") or ("minimal" if IS_AD_HOC else "default")
_OWNER_PID = os.getpid()

_base = callback_loader.get(_BASE_NAME, class_only=True)
if _base is None:
    raise ImportError(f"stdout callback {_BASE_NAME!r} not found")


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)  # noqa: UP017 - Python 3.8 has no datetime.UTC


def in_fork() -> bool:
    """Whether this is one of ansible's forks, where ansible itself passes all output to the parent process."""
    return os.getpid() != _OWNER_PID


# ----------------------------------------------------------------------------------------- the channel


class EventWriter:
    """The writing end of the channel: one line for each message, never interleaved."""

    def __init__(self, named: str | None, lock: Any) -> None:
        self.lock = lock
        self._descriptor = self._open(named) if named else None

    @property
    def is_open(self) -> bool:
        return self._descriptor is not None

    @staticmethod
    def _open(named: str) -> int:
        descriptor = int(named) if named.isdigit() else os.open(named, os.O_WRONLY)
        # Ansible's forks close nothing: a daemon that a task starts would hold the channel open for ever.
        os.set_inheritable(descriptor, False)
        return descriptor

    def send(self, message: dict[str, Any]) -> None:
        """Write one line; once the reader is gone, do nothing."""
        if self._descriptor is None or in_fork():
            return
        rest = memoryview(encode(message).encode("ascii") + b"\n")
        with self.lock:
            try:
                while rest:  # a pipe accepts a long line in pieces
                    rest = rest[os.write(self._descriptor, rest) :]
            except OSError:
                self._descriptor = None


class Encoder(json.JSONEncoder):
    """JSON for values of playbooks: vaulted text stays encrypted, dates are ISO 8601, other types become text."""

    def default(self, o: Any) -> Any:
        ciphertext = getattr(o, "_ciphertext", None)
        if ciphertext is not None:
            text = ciphertext.decode("utf-8") if isinstance(ciphertext, bytes) else str(ciphertext)
            return {"__ansible_vault": text}
        if isinstance(o, (datetime.date, datetime.datetime)):
            return o.isoformat()
        if isinstance(o, (set, frozenset, tuple)):
            return list(o)
        return str(o)


_to_json = Encoder().encode  # json.dumps makes an encoder for each call


def encode(message: dict[str, Any]) -> str:
    try:
        return _to_json(message)
    except (TypeError, ValueError):
        return _to_json(plain(message))


def plain(value: Any) -> Any:
    """Return a copy whose keys are text, for the rare value that JSON cannot encode."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value


# ----------------------------------------------------------------------------- secrets and big results


def censor(value: Any) -> Any:
    """Return the value with each no_log result replaced; the original, which ansible goes on using, is unchanged."""
    if isinstance(value, dict):
        if value.get("_ansible_no_log"):
            return {"censored": CENSORED}
        return {key: censor(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [censor(entry) for entry in value]
    return value


def bound(result: Any) -> Any:
    """Return a result of at most MAX_EVENT_RES characters: its longest texts are cut, and it is marked as cut."""
    limit = reporter.result_limit
    size = len(str(result))
    if size <= limit:
        return result
    mark = {"_truncated": True, "_original_size": size}
    for share in (4, 32, 256, 4096):
        cut = shorten(result, max(limit // share, 16))
        cut = dict(cut, **mark) if isinstance(cut, dict) else dict(mark, value=cut)
        if len(str(cut)) <= limit:
            return cut
    return mark


def shorten(value: Any, limit: int) -> Any:
    if isinstance(value, str) and len(value) > limit:
        return f"{value[:limit]}... [truncated: {limit} of {len(value)} characters]"
    if isinstance(value, dict):
        return {key: shorten(entry, limit) for key, entry in list(value.items())[:limit]}
    if isinstance(value, (list, tuple)):
        return [shorten(entry, limit) for entry in value[:limit]]
    return value


# ------------------------------------------------------------------------------------ displayed text


class Screen(threading.local):
    """The text of the event that this thread is in, or None outside of events; and whether all text belongs to it."""

    def __init__(self) -> None:
        self.parts: list[str] | None = None
        self.is_message = False
        self.flags: dict[str, Any] = {}


screen = Screen()


class CapturedStream:
    """Replaces sys.stdout and sys.stderr, so that text and events reach the worker in the order they were made.

    Text within an event belongs to it. Other text goes over the channel too, line by line: on the terminal it would
    overtake events, or be overtaken by them. Without a reader, and in forks, it goes to the original stream.
    """

    def __init__(self, stream: Any, *, is_error: bool = False) -> None:
        self._stream = stream
        self._is_error = is_error
        self._line = ""

    def write(self, text: str) -> int:
        if in_fork() or not reporter.channel.is_open:
            return int(self._stream.write(text))
        shown = self._as_shown(text)
        if screen.parts is None or self._precedes_event():
            self._send_lines(shown)
        else:
            screen.parts.append(shown)
        return len(text)

    def _precedes_event(self) -> bool:
        """Whether this is a warning that is displayed with a result: ansible-runner puts those before the event."""
        return self._is_error and not screen.parts and not screen.is_message

    def _send_lines(self, text: str) -> None:
        with reporter.channel.lock:
            head, newline, self._line = (self._line + text).rpartition("\n")
            if newline:
                reporter.channel.send({"text": as_on_terminal([head, newline])})

    def flush(self) -> None:
        # An unfinished line that is flushed may be a prompt, which has to be seen now.
        if not in_fork():
            with reporter.channel.lock:
                line, self._line = self._line, ""
                if line:
                    reporter.channel.send({"text": as_on_terminal([line])})
        self._stream.flush()

    def _as_shown(self, text: str) -> str:
        if text.isascii():
            return text
        encoding = self._stream.encoding or "utf-8"
        return text.encode(encoding, self._stream.errors or "replace").decode(encoding, "replace")

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def as_on_terminal(parts: list[str]) -> str:
    """Return the text with the carriage returns that a terminal adds; excessive text is cut and marked as cut."""
    text = "".join(parts).replace("\n", "\r\n")
    if len(text) <= TEXT_LIMIT:
        return text
    return f"{text[:TEXT_LIMIT]}... [truncated: {TEXT_LIMIT} of {len(text)} characters]\r\n"


# ---------------------------------------------------------------------------------------------- events


class Reporter:
    """Makes events: keeps the playbook, play and task in progress, and the text that each event displays.

    All state and all helpers of the plugin are here rather than in its class, whose base is any stdout callback: a name
    of ours would replace a method of that base.
    """

    def __init__(self) -> None:
        self.channel = EventWriter(
            os.environ.pop(CHANNEL_VARIABLE, None), getattr(Display(), "_lock", threading.RLock())
        )
        self.playbook: dict[str, Any] = {}
        self.play: dict[str, Any] = {}
        self.task: dict[str, Any] = {}
        self.playbook_uuid = str(uuid.uuid4())
        self.started: dict[str, datetime.datetime] = {}
        self.result_limit = _result_limit()
        self._seen: dict[str, int] = {}
        numbers = ((key, os.environ.get(variable, "")) for key, variable in JOB_NUMBERS)
        self._numbers = {key: int(number) for key, number in numbers if number.isdigit()}
        self._omits = os.environ.get("RUNNER_OMIT_EVENTS", "").lower() == "true"
        self._only_failed = os.environ.get("RUNNER_ONLY_FAILED_EVENTS", "").lower() == "true"

    @contextlib.contextmanager
    def event(self, event: str, /, task: dict[str, Any] | None = None, **data: Any) -> Iterator[None]:
        """Report an event with the text that the enclosed code displays, even if that code fails."""
        fields = self._describe(event, task, data)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # an unfinished line comes before the event
        outer = screen.parts, screen.is_message
        screen.parts, screen.is_message = [], event in LEVELS
        try:
            yield
        finally:
            parts = screen.parts
            screen.parts, screen.is_message = outer
            self.channel.send({"text": as_on_terminal(parts), "fields": fields})

    def _describe(self, name: str, task: dict[str, Any] | None, data: dict[str, Any]) -> dict[str, Any]:
        own = data.setdefault("uuid", str(uuid.uuid4()))
        verbosity = data.pop("verbosity", None)
        context = dict(self.playbook, **self.play)
        context.update(self.task if task is None else task)
        fields: dict[str, Any] = {"event": name}
        fields.update(self._numbers)
        fields.update(pid=os.getpid(), uuid=own, created=now().isoformat())
        parents = (context.get(key) for key in ("task_uuid", "play_uuid", "playbook_uuid"))
        parent = next((entry for entry in parents if entry and entry != own), None)
        if parent:
            fields["parent_uuid"] = parent
        if verbosity is not None:
            fields["verbosity"] = verbosity
        fields["event_data"] = self._data(name, context, data)
        return fields

    def _data(self, name: str, context: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        if self._omits or (self._only_failed and name not in FAILURES):
            return {}
        for key in ("res", "diff"):
            if data.get(key):
                data[key] = bound(censor(data[key]))
        return dict(context, **data)

    def numbered(self, own: str) -> str:
        """Return a unique uuid: serial and the free strategy start the same play or task several times."""
        self._seen[own] = self._seen.get(own, 0) + 1
        return own if self._seen[own] == 1 else f"{own}_{self._seen[own]}"

    def timing(self, host: str) -> dict[str, Any]:
        """Return when the current task of a host started and ended, and how many seconds it took."""
        start = self.started.get(host)
        if start is None:
            return {"start": None, "end": None, "duration": None}
        end = now()
        return {"start": start, "end": end, "duration": (end - start).total_seconds()}

    def task_started(self, task: Any, own: str, is_conditional: bool) -> Any:
        """Return the event of a task's start."""
        data = {"name": task.get_name(), "is_conditional": is_conditional, "uuid": own}
        return self.event("playbook_on_task_start", **data)

    def result(self, event: str, result: Any, **more: Any) -> Any:
        """Return an event about the result of a host."""
        host, task, outcome = _part(result, "host"), _part(result, "task"), _part(result, "result")
        if outcome.get("_ansible_no_log"):
            # Ansible hides the result but not the error in it, whose message may hold the secret.
            outcome.pop("exception", None)
        return self.event(event, task=describe_task(task), host=host.get_name(), **more)

    def final_result(self, event: str, result: Any, **more: Any) -> Any:
        """Return an event about the result that ends the task of a host."""
        host = _part(result, "host")
        more.update(self.timing(host.get_name()), remote_addr=host.address)
        return self.result(event, result, **more)


def _result_limit() -> int:
    """Return the value of MAX_EVENT_RES; one that is not a number must not cost the job its events."""
    text = os.environ.get("MAX_EVENT_RES", "")
    return int(text) if text.isdigit() else DEFAULT_RESULT_LIMIT


reporter = Reporter()


# ------------------------------------------------------------------------------------ Display, proxied


def _flagged(method: Callable[..., Any], level: str) -> Callable[..., Any]:
    """Record, while a Display method runs, which kind of message it displays."""

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        outer = screen.flags
        screen.flags = dict(outer, **{level: True})
        try:
            return method(self, *args, **kwargs)
        finally:
            screen.flags = outer

    return wrapper


def _verbose(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def wrapper(self: Any, msg: Any, host: str | None = None, caplevel: int = 2) -> Any:
        outer = screen.flags
        screen.flags = dict(outer, verbose=True, verbosity=caplevel + 1)
        if host is not None:
            screen.flags["remote_addr"] = host
        try:
            return method(self, msg, host=host, caplevel=caplevel)
        finally:
            screen.flags = outer

    return wrapper


def _reported(method: Callable[..., Any]) -> Callable[..., Any]:
    """Make text that is displayed outside of any event an event of its own."""

    @functools.wraps(method)
    def wrapper(self: Any, msg: Any, *args: Any, **kwargs: Any) -> Any:
        if in_fork() or kwargs.get("log_only") or screen.parts is not None:
            return method(self, msg, *args, **kwargs)
        name = next((level for level in LEVELS if screen.flags.get(level)), "verbose")
        with reporter.event(name, **screen.flags):
            return method(self, msg, *args, **kwargs)

    return wrapper


def _proxy_display() -> None:
    for level in LEVELS:
        method = getattr(Display, level, None)
        if method is not None and level != "verbose":
            setattr(Display, level, _flagged(method, level))
    Display.verbose = _verbose(Display.verbose)
    Display.display = _reported(Display.display)
    sys.stdout, sys.stderr = CapturedStream(sys.stdout), CapturedStream(sys.stderr, is_error=True)


if reporter.channel.is_open:
    _proxy_display()
    if not os.environ.get("MAX_EVENT_RES", "0").isdigit():
        Display().warning(f"MAX_EVENT_RES is not a number, using {DEFAULT_RESULT_LIMIT}")


# ------------------------------------------------------------------------------------- reading ansible


def _part(result: Any, name: str) -> Any:
    """Return host, task or result of a task result; ansible-core 2.19 renamed these attributes."""
    return (
        getattr(result, name)
        if hasattr(type(result), name) or name in vars(result)
        else getattr(result, "_" + name)
    )


def describe_play(play: Any, play_uuid: str) -> dict[str, Any]:
    hosts = getattr(play, "hosts", "")
    pattern = ",".join(hosts) if isinstance(hosts, list) else hosts
    return {"play": play.get_name().strip() or pattern, "play_uuid": play_uuid, "play_pattern": pattern}


def describe_task(task: Any) -> dict[str, Any]:
    described = {
        "task": task.name or task.action,
        "task_uuid": str(task._uuid),
        "task_action": task.action,
        "resolved_action": getattr(task, "resolved_action", task.action),
        "task_args": _describe_arguments(task),
    }
    with contextlib.suppress(AttributeError):
        described["task_path"] = task.get_path()
    described.update(_describe_role(task))
    return described


def _describe_arguments(task: Any) -> str:
    if not C.DISPLAY_ARGS_TO_STDOUT:
        return ""
    return CENSORED if task.no_log else ", ".join(f"{key}={value}" for key, value in task.args.items())


def _describe_role(task: Any) -> dict[str, str]:
    role = getattr(task, "_role", None)
    if not role:
        return {}
    name, resolved = role._role_name, role.get_name()
    return {"role": name} if name == resolved else {"role": name, "resolved_role": resolved}


# ------------------------------------------------------------------------------------------ the plugin


class CallbackModule(_base):  # type: ignore[misc, valid-type]  # the base is the user's own stdout callback
    """Displays what its base displays, each part within an event; defines nothing else, see `Reporter`."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "receptor_runner_events"

    def set_options(self, *args: Any, **kwargs: Any) -> Any:
        """Declare the options of the base as our own: it looks them up under our name."""
        merged: dict[str, Any] = {}
        for name in (_base._load_name, self._load_name):
            merged.update(C.config.get_configuration_definitions("callback", name) or {})
        C.config.initialize_plugin_configuration_definitions("callback", self._load_name, merged)
        # Ansible forks for each task and host. A fork that looks for garbage cycles among all that was imported writes
        # to each object's header, and so copies Ansible's whole memory: a quarter of the time of a short play.
        gc.freeze()
        return super().set_options(*args, **kwargs)

    # playbook, plays and tasks

    def v2_playbook_on_start(self, playbook: Any) -> None:
        own = reporter.playbook_uuid
        reporter.playbook = {"playbook": getattr(playbook, "_file_name", "???"), "playbook_uuid": own}
        reporter.play, reporter.task = {}, {}
        with reporter.event("playbook_on_start", uuid=own):
            super().v2_playbook_on_start(playbook)

    def v2_playbook_on_vars_prompt(self, varname: str, *args: Any, **kwargs: Any) -> None:
        names = ("private", "prompt", "encrypt", "confirm", "salt_size", "salt", "default", "unsafe")
        data: dict[str, Any] = dict.fromkeys(names, None)
        data.update(private=True, confirm=False)
        data.update(zip(names, args))  # noqa: B905 - Python 3.8 knows no strict
        data.update((name, kwargs[name]) for name in names if name in kwargs)
        with reporter.event("playbook_on_vars_prompt", varname=varname, **data):
            super().v2_playbook_on_vars_prompt(varname, *args, **kwargs)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        if IS_AD_HOC:
            return
        reporter.play = describe_play(play, reporter.numbered(str(play._uuid)))
        reporter.task = {}
        named = {"name": reporter.play["play"], "pattern": reporter.play["play_pattern"]}
        with reporter.event("playbook_on_play_start", uuid=reporter.play["play_uuid"], **named):
            super().v2_playbook_on_play_start(play)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        reporter.task = describe_task(task)
        if IS_AD_HOC:
            return
        with reporter.task_started(task, reporter.numbered(str(task._uuid)), is_conditional):
            super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        reporter.task = describe_task(task)
        with reporter.task_started(task, str(task._uuid), True):
            super().v2_playbook_on_handler_task_start(task)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        with reporter.event("playbook_on_include", included_file=getattr(included_file, "_filename", None)):
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_notify(self, handler: Any, host: Any) -> None:
        with reporter.event("playbook_on_notify", host=host.get_name(), handler=handler.get_name()):
            super().v2_playbook_on_notify(handler, host)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        with reporter.event("playbook_on_no_hosts_matched"):
            super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        with reporter.event("playbook_on_no_hosts_remaining"):
            super().v2_playbook_on_no_hosts_remaining()

    def v2_playbook_on_stats(self, stats: Any) -> None:
        reporter.play, reporter.task = {}, {}
        names = ("changed", "dark", "failures", "ignored", "ok", "processed", "rescued", "skipped")
        data: dict[str, Any] = {name: getattr(stats, name, 0) for name in names}
        data["artifact_data"] = stats.custom.get("_run", {})
        with reporter.event("playbook_on_stats", **data):
            super().v2_playbook_on_stats(stats)

    # results of hosts

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        reporter.started[host.get_name()] = now()
        with reporter.event("runner_on_start", task=describe_task(task), host=host.get_name()):
            super().v2_runner_on_start(host, task)

    def v2_runner_on_ok(self, result: Any) -> None:
        task, outcome = _part(result, "task"), _part(result, "result")
        if task.action.rpartition(".")[2] in {"setup", "gather_facts"}:
            # The environment of a host may hold secrets, and no consumer of events needs it.
            (outcome.get("ansible_facts") or {}).pop("ansible_env", None)
        with reporter.final_result("runner_on_ok", result, res=outcome, event_loop=task.loop_with):
            super().v2_runner_on_ok(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        more = {"res": _part(result, "result"), "event_loop": _part(result, "task").loop_with}
        with reporter.final_result("runner_on_failed", result, ignore_errors=ignore_errors, **more):
            super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_skipped(self, result: Any) -> None:
        with reporter.final_result("runner_on_skipped", result, event_loop=_part(result, "task").loop_with):
            super().v2_runner_on_skipped(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        with reporter.final_result("runner_on_unreachable", result, res=_part(result, "result")):
            super().v2_runner_on_unreachable(result)

    def v2_on_file_diff(self, result: Any) -> None:
        diff = censor(_part(result, "result")).get("diff")
        with reporter.result("runner_on_file_diff", result, diff=diff):
            super().v2_on_file_diff(result)


def _shown_result(method: str, event: str, with_job_id: bool = False) -> Callable[[Any, Any], None]:
    """Return a callback method that reports an intermediate result of a host and has the base display it."""

    def callback(self: Any, result: Any) -> None:
        outcome = _part(result, "result")
        more = {"jid": outcome.get("ansible_job_id")} if with_job_id else {}
        with reporter.result(event, result, res=outcome, **more):
            getattr(super(CallbackModule, self), method)(result)

    callback.__name__ = method
    return callback


for _kind in ("item_on_ok", "item_on_failed", "item_on_skipped", "retry"):
    setattr(CallbackModule, "v2_runner_" + _kind, _shown_result("v2_runner_" + _kind, "runner_" + _kind))
for _kind in ("on_async_poll", "on_async_ok", "on_async_failed"):
    setattr(
        CallbackModule, "v2_runner_" + _kind, _shown_result("v2_runner_" + _kind, "runner_" + _kind, True)
    )
