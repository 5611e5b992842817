"""What became of a container, in words: what its engine says, and what can be done about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from receptor_runner.execution.end import Cause, End
from receptor_runner.outcome import HINT, Outcome, Status

RC_ENGINE = 125
RC_KILLED = 137

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f]")
_SAID = re.compile(r"^(?:Error(?: response from daemon)?|docker|podman): *", re.IGNORECASE)
_STARTS = ("error", "docker:", "podman:")

_HINTS = (
    ("no such file or directory", "statfs", "the source of a mount does not exist on the worker"),
    (
        "image not known",
        "",
        "pull the image on the worker, or allow it with --container-option=--pull=missing",
    ),
    ("no such image", "", "pull the image on the worker, or allow it with --container-option=--pull=missing"),
    ("unauthorized", "", "check host, username and password of container_auth_data"),
    ("authentication required", "", "check host, username and password of container_auth_data"),
    ("access to the resource is denied", "", "check the name of the image and container_auth_data"),
    ("manifest unknown", "", "check the name and the tag of the image"),
    (
        "http response to https",
        "",
        "set verify_ssl to false in container_auth_data for a registry without TLS",
    ),
    ("certificate", "", "have the worker trust the registry's certificate, or set verify_ssl to false"),
    ("rlimit", "", "set default_ulimits in containers.conf to what the worker may have"),
    ("cgroup", "", "set cgroup_manager and runtime in containers.conf to what this machine supports"),
    ("newuidmap", "", "give the worker's user a range in /etc/subuid and /etc/subgid"),
    ("subuid", "", "give the worker's user a range in /etc/subuid and /etc/subgid"),
    ("user namespace", "", "allow user namespaces for the worker's user, or run the worker as root"),
    ("unknown flag", "", "check --container-option"),
    ("unknown shorthand flag", "", "check --container-option"),
    ("cannot connect to the docker daemon", "", "start docker on the worker"),
    ("python3", "not found", "use an image that has python3 on its PATH"),
)


def judge_pull(end: End, executable: str, image: str) -> Outcome | None:
    """Return the outcome of a job whose image could not be pulled, or None if it was, or the pull was stopped."""
    if end.cause is not Cause.EXITED or end.exit is None or end.exit.code == 0:
        return None
    return _engine_failed(end, f"{Path(executable).name} cannot pull {image}")


def judge_container(end: End, reports: Mapping[str, Any], executable: str, image: str) -> Outcome | None:
    """Return the outcome where it is not that of the command inside.

    Args:
        end: how the engine's client ended.
        reports: what the container has reported.
        executable: the engine.
        image: the image.
    """
    if end.cause is not Cause.EXITED or end.exit is None or end.exit.code < 0:
        return None
    code = end.exit.code
    if "started" not in reports:
        return (
            _engine_failed(end, f"{Path(executable).name} cannot run a container of {image}")
            if code
            else None
        )
    if reports.get("oom_kills") and code:
        killed = reports["oom_kills"]
        why = (
            f"the container ran out of memory: the kernel killed {killed} process{'es' * (killed > 1)} in it"
        )
        return Outcome(status=Status.FAILED, rc=code, explanation=why)
    if "exited" not in reports:
        why = "the container was killed before the job ended, from outside or for lack of memory"
        return Outcome(status=Status.FAILED, rc=code or RC_KILLED, explanation=why)
    return None


def _engine_failed(end: End, what: str) -> Outcome:
    assert end.exit
    said = engine_error(end.last_text)
    hint = _hint(said)
    explanation = f"{what}: {said or f'exit status {end.exit.code}'}" + (f"{HINT}{hint}" if hint else "")
    code = end.exit.code if end.exit.code > 0 else RC_ENGINE
    return Outcome(status=Status.ERROR, rc=code, explanation=explanation)


def engine_error(text: str) -> str:
    """Return the sentence with which an engine ended: its last line that says so, else its last line."""
    lines = [line.strip() for line in _ESCAPES.sub("", text.replace("\r", "\n")).splitlines()]
    lines = [line for line in lines if line]
    errors = [line for line in lines if line.lower().startswith(_STARTS)]
    return _SAID.sub("", (errors or lines or [""])[-1])


def _hint(said: str) -> str:
    words = said.lower()
    return next((hint for one, other, hint in _HINTS if one in words and other in words), "")
