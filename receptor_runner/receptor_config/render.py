"""Renders a receptor.yml from a template: settings in, a text that was read back and checked out."""

from __future__ import annotations

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
    Value,
    WorkCommandSetting,
    read_settings,
    read_work_commands,
)
from receptor_runner.receptor_config.templates import Template, find_template, list_templates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

__all__ = ["list_templates", "render"]


def render(
    name: str, settings: Mapping[str, str], *, form: Literal["v1", "v2"] = "v1", base_dir: Path | None = None
) -> str:
    """Render one template to the text of a receptor.yml.

    Args:
        name: a template's name, as list_templates() gives it.
        settings: texts by setting name, plus further work-commands as `work.TYPE`.
        form: v1, the list that `receptor --config` reads, or v2, the map of `receptor --config-v2`.
        base_dir: where relative paths start from; the current directory when None.

    Raises:
        UsageError: an unknown template or setting, or a text that does not fit.
        ConfigError: the settings together make a config the daemon would refuse.
    """
    template = find_template(name)
    start = (base_dir or Path.cwd()).absolute()
    values = read_settings(template.settings, settings, base_dir=start)
    _need_link(template, values)
    text = _fill(template, values, read_work_commands(settings, base_dir=start))
    if form == "v2":
        text = f"# {template.purpose}\n# receptor --config-v2 --config FILE\n{emit.v2(parse(text))}"
    _prove(name, text)
    return text


def _need_link(template: Template, values: dict[str, Value]) -> None:
    if "listen" in values and not values["listen"] and not values["peers"]:
        raise UsageError(
            f"the {template.name} has no link to the mesh",
            hint="--set peers=HOST:27199 to connect out, or --set listen=0.0.0.0:27199",
        )


def _prove(name: str, text: str) -> None:
    """Refuse to hand out a config the daemon would not take; the paths in it may be another machine's."""
    document = parse(text, file=name)
    findings = check_documents([document], on_this_machine=False)
    if name == "local":  # a single machine's, this one: starting the daemon must not cost what is there
        for block in document.all("control-service"):
            findings += check_replaced(block.text("filename"), block.line_of("filename"))
    faults = [finding for finding in findings if finding.severity is Severity.ERROR]
    if faults:
        raise ConfigError(
            f"these settings make no usable {name} config", cause=faults[0].message, hint=faults[0].hint
        )


def _fill(template: Template, values: dict[str, Value], further: tuple[WorkCommandSetting, ...]) -> str:
    page = _environment().get_template(f"{template.name}.yml.j2")
    filled = page.render(**values, work_commands=_work_commands(values, further))
    return (
        f"# {template.purpose}\n# receptor --config FILE\n" + re.sub(r"\n{3,}", "\n\n", filled).strip() + "\n"
    )


def _work_commands(
    values: dict[str, Value], further: tuple[WorkCommandSetting, ...]
) -> tuple[WorkCommandSetting, ...]:
    if "worktype" not in values:
        return further
    params = str(values["params"])
    if values["keepalive_seconds"] != "":
        params = f"{params} --keepalive-seconds {values['keepalive_seconds']}"
    first = WorkCommandSetting(
        worktype=str(values["worktype"]), command=str(values["command"]), params=params
    )
    return (first, *further)


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
