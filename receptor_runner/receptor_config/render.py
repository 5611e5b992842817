"""Renders a receptor.yml from a template; the result is parsed and checked before anyone gets it."""

from __future__ import annotations

import functools
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from receptor_runner.errors import ConfigError, UsageError
from receptor_runner.receptor_config import emit
from receptor_runner.receptor_config.checks.sockets import check_replaced
from receptor_runner.receptor_config.findings import Severity
from receptor_runner.receptor_config.linter import check_documents
from receptor_runner.receptor_config.parse import parse
from receptor_runner.receptor_config.template_settings import (
    WORKER,
    Machine,
    Value,
    WorkType,
    read_settings,
    read_work_types,
)
from receptor_runner.receptor_config.templates import Template, find_template, list_templates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

__all__ = ["list_templates", "render"]


def render(
    name: str,
    texts: Mapping[str, str],
    *,
    form: Literal["v1", "v2"] = "v1",
    on_this_machine: bool | None = None,
    base_dir: Path | None = None,
) -> str:
    """Render one template to the text of a receptor.yml.

    Args:
        name: a template's name, as list_templates() gives it.
        texts: texts by the name of the setting, plus additional work types as `work.TYPE`.
        form: v1, the list that `receptor --config` reads, or v2, the map of `receptor --config-v2`.
        on_this_machine: whether the file is for this machine; None for what is usual for the template. For another
            machine, paths must be absolute, and nothing of this machine gets into the file.
        base_dir: where relative paths start from on this machine; the current directory if None.

    Raises:
        UsageError: an unknown template or setting, or a text that does not fit.
        ConfigError: the daemon would refuse the result.
    """
    template = find_template(name)
    here = template.on_this_machine if on_this_machine is None else on_this_machine
    machine = Machine(base_dir=(base_dir or Path.cwd()).absolute() if here else None)
    values = read_settings(template.settings, texts, machine)
    _require_link(template, values)
    text = _fill(template, values, _work_types(values, read_work_types(texts, machine), machine))
    if form == "v2":
        text = f"# {template.purpose}\n# receptor --config-v2 --config FILE\n{emit.v2(parse(text))}"
    _check(name, text, on_this_machine=here)
    return text


def _require_link(template: Template, values: dict[str, Value]) -> None:
    if "listen" in values and not values["listen"] and not values["peers"]:
        raise UsageError(
            f"the {template.name} has no link to the mesh",
            hint="--set peers=HOST:27199 to connect out, or --set listen=0.0.0.0:27199",
        )


def _check(name: str, text: str, *, on_this_machine: bool) -> None:
    """Refuse a result that the daemon would not accept; certificates and directories may not exist yet."""
    document = parse(text, file=name)
    findings = check_documents([document], on_this_machine=False)
    if on_this_machine:  # starting the daemon must not delete what is there
        for block in document.all("control-service"):
            findings += check_replaced(block.text("filename"), block.line_of("filename"))
    faults = [finding for finding in findings if finding.severity is Severity.ERROR]
    if faults:
        raise ConfigError(
            f"these settings do not make a usable {name} config",
            cause=faults[0].message,
            hint=faults[0].hint,
        )


def _fill(template: Template, values: dict[str, Value], work_types: tuple[WorkType, ...]) -> str:
    page = _environment().get_template(f"{template.name}.yml.j2")
    filled = page.render(**values, work_types=work_types)
    return (
        f"# {template.purpose}\n# receptor --config FILE\n" + re.sub(r"\n{3,}", "\n\n", filled).strip() + "\n"
    )


def _work_types(
    values: dict[str, Value], additional: tuple[WorkType, ...], machine: Machine
) -> tuple[WorkType, ...]:
    if "worktype" not in values:
        return additional
    command, params = str(values["command"]), str(values["params"])
    if command == WORKER:
        command, first_params = machine.worker()
        params = first_params + params
    if values["keepalive_seconds"] != "":
        params = f"{params} --keepalive-seconds {values['keepalive_seconds']}"
    first = WorkType(worktype=str(values["worktype"]), command=command, params=params)
    return (first, *additional)


@functools.cache  # a mesh has hundreds of nodes, and to compile a template takes longer than to fill it
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(  # noqa: S701 -- the output is YAML, every text passes the quoting filter
        loader=FunctionLoader(_template_text), undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters.update(q=emit.scalar, host=_host, port=_port)
    return environment


def _template_text(filename: str) -> str:
    shipped = resources.files("receptor_runner") / "configs" / filename
    if shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    checkout = Path(__file__).parents[2] / "configs" / filename
    return checkout.read_text(encoding="utf-8")


def _host(address: str) -> str:
    return address.rpartition(":")[0]


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])
