"""What a client asks: a line of text or of JSON, read into a command and its arguments."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from receptor_runner.node.refusal import Refused

_INTEGER = re.compile(r"[+-]?[0-9]+")
_INT64 = 1 << 63


class Request(NamedTuple):
    """One command.

    Attributes:
        command: its name, in lower case when it came as text.
        text: the rest of the line, for a text request.
        fields: the JSON object, for a JSON request.
    """

    command: str
    text: str = ""
    fields: dict[str, object] | None = None


class WorkRequest(NamedTuple):
    """One `work` command; what a subcommand does not use stays empty."""

    subcommand: str
    unit_id: str | None = None
    start: int = 0
    signature: str = ""
    fields: dict[str, str] | None = None


def parse_request(line: bytes) -> Request:
    """Read one line.

    Args:
        line: a line that is not empty, without its end.

    Raises:
        Refused: JSON that is none, or without a command.
    """
    if line.startswith(b"{"):
        return _parse_json(line)
    name, _, text = line.decode("utf-8", "replace").partition(" ")
    return Request(command=name.lower(), text=text)


def _parse_json(line: bytes) -> Request:
    try:
        fields = json.loads(line.decode("utf-8", "replace"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(f"invalid JSON: {error}") from error
    if "command" not in fields:
        raise Refused("JSON did not contain a command")
    if not isinstance(fields["command"], str):
        raise Refused("command must be a string")
    return Request(command=fields["command"], fields=fields)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"invalid value {name}")


def parse_work(request: Request) -> WorkRequest:
    """Read the arguments of a `work` command.

    Raises:
        Refused: an argument is missing, of the wrong kind, or too many.
    """
    if request.fields is None:
        return _parse_work_text(request.text.split(" "))
    return _parse_work_fields(request.fields)


def _parse_work_text(tokens: list[str]) -> WorkRequest:
    name = tokens[0].lower()
    arguments = tokens[1:]
    if name == "submit":
        return _parse_submit_text(arguments)
    if name == "list":
        return WorkRequest(subcommand=name, unit_id=arguments[0] if arguments else None)
    if name == "results":
        return _parse_results_text(arguments)
    if name in {"status", "cancel", "release", "force-release"}:
        return _parse_unit_text(name, arguments)
    raise Refused("bad command")


def _parse_submit_text(arguments: list[str]) -> WorkRequest:
    if len(arguments) < 2:
        raise Refused("work submit requires a target node and work type")
    fields = {"node": arguments[0], "worktype": arguments[1]}
    if len(arguments) > 2:
        fields["params"] = " ".join(arguments[2:])
    return WorkRequest(subcommand="submit", fields=fields)


def _parse_unit_text(name: str, arguments: list[str]) -> WorkRequest:
    if not arguments:
        raise Refused(f"work {name} requires a unit ID")
    if len(arguments) > 1:
        raise Refused(f"work {name} does not take parameters after the unit ID")
    return WorkRequest(subcommand=name, unit_id=arguments[0])


def _parse_results_text(arguments: list[str]) -> WorkRequest:
    if not arguments:
        raise Refused("work results requires a unit ID")
    if len(arguments) > 2:
        raise Refused("work results only takes a unit ID and optional start position")
    start = _parse_start(arguments[1]) if len(arguments) == 2 else 0
    return WorkRequest(subcommand="results", unit_id=arguments[0], start=start)


def _parse_start(text: str) -> int:
    problem = _describe_bad_integer(text)
    if problem is not None:
        raise Refused(f"error converting start position to integer: {problem}")
    return int(text)


def _describe_bad_integer(text: str) -> str | None:
    if not _INTEGER.fullmatch(text):
        return f"strconv.ParseInt: parsing {json.dumps(text)}: invalid syntax"
    if not -_INT64 <= int(text) < _INT64:
        return f"strconv.ParseInt: parsing {json.dumps(text)}: value out of range"
    return None


def _parse_work_fields(fields: dict[str, object]) -> WorkRequest:
    name = _need_string(fields, "subcommand").lower()
    signature = fields.get("signature")
    signature = signature if isinstance(signature, str) else ""
    if name == "submit":
        return WorkRequest(subcommand=name, fields=_parse_submit_fields(fields), signature=signature)
    if name == "list":
        unit_id = fields.get("unitid")
        return WorkRequest(subcommand=name, unit_id=unit_id if isinstance(unit_id, str) else None)
    if name not in {"status", "cancel", "release", "force-release", "results"}:
        raise Refused("bad command")
    unit_id = _need_string(fields, "unitid")
    start = _need_integer(fields, "startpos") if name == "results" else 0
    return WorkRequest(subcommand=name, unit_id=unit_id, start=start, signature=signature)


def _parse_submit_fields(fields: dict[str, object]) -> dict[str, str]:
    strings = {key: value for key, value in fields.items() if isinstance(value, str)}
    for key in fields:
        if key not in strings:
            raise Refused(f"submit parameters must all be strings and {key} is not")
    for key in ("node", "worktype"):
        _need_string(fields, key)
    return strings


def _need_string(fields: dict[str, object], name: str) -> str:
    if name not in fields:
        raise Refused(f"field {name} missing")
    value = fields[name]
    if not isinstance(value, str):
        raise Refused(f"field {name} must be a string")
    return value


def _need_integer(fields: dict[str, object], name: str) -> int:
    if name not in fields:
        raise Refused(f"field {name} missing")
    value = fields[name]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(max(-_INT64, min(value, _INT64 - 1)))
    # Receptor does not accept a number in a string either, although its error suggests it.
    if isinstance(value, str) and (problem := _describe_bad_integer(value)) is not None:
        raise Refused(problem)
    raise Refused(f"field {name} value {_show(value)} is not convertible to an int")


def _show(value: object) -> str:
    # A value that is not text shows the way Receptor's own formatting shows it.
    if isinstance(value, bool):
        return f"%!s(bool={str(value).lower()})"
    return "%!s(<nil>)" if value is None else str(value)
