"""`receptor-runner config list | render | check | show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from receptor_runner.cli import completions, messages, output, parameters
from receptor_runner.cli.commands import Group
from receptor_runner.cli.config_show import show
from receptor_runner.cli.findings import show_findings
from receptor_runner.cli.new_file import PRIVATE, SHARED, write_new
from receptor_runner.errors import MissingInput, UsageError

if TYPE_CHECKING:
    from receptor_runner.receptor_config.templates import Template

EPILOG = """\b
Examples:
  receptor-runner config list
  receptor-runner config render local -o receptor.yml
  receptor-runner config render worker --set id=exec1 --set peers=hub:27199
  receptor-runner config check /etc/receptor/receptor.conf
  receptor-runner config show --sources
"""

RENDER_EPILOG = """\b
Examples:
  receptor-runner config render local --set socket=/run/user/1000/control.sock
  receptor-runner config render control --set signing_key=/etc/receptor/sign.pem
  receptor-runner config render worker --set peers=hub:27199 -o receptor.yml
  receptor-runner config render local \\
      --set work.ansible-runner='/usr/bin/ansible-runner worker'
`receptor-runner config list` shows the settings of each template.
"""

CHECK_EPILOG = """\b
Examples:
  receptor-runner config check receptor.yml
  receptor-runner config check --elsewhere control.yml hop.yml worker.yml
\b
Exit codes: 66 if a file cannot be read, 78 if there are errors, otherwise 0.
"""


@click.group(cls=Group, epilog=EPILOG)
def config() -> None:
    """List, render and check receptor.yml files; show the settings of receptor-runner."""


config.add_command(show)


@config.command("list")
@parameters.as_json
def list_command(json_output: bool) -> None:
    """List the templates, with the settings of each and their defaults."""
    from receptor_runner.receptor_config.templates import list_templates

    templates = list_templates()
    if json_output:
        output.data({"templates": [_as_dict(template) for template in templates]})
        return
    for template in templates:
        machine = "this machine" if template.on_this_machine else "another machine, unless --here is given"
        output.line(f"{template.name}: {template.purpose} For {machine}.")
        for setting in template.settings:
            output.line(f"    {setting.name}={setting.default}")
            output.line(f"        {setting.help} ({setting.kind.value})")


def _as_dict(template: Template) -> dict[str, object]:
    settings = [
        {"name": setting.name, "kind": setting.kind.value, "default": setting.default, "help": setting.help}
        for setting in template.settings
    ]
    return {"name": template.name, "purpose": template.purpose, "settings": settings}


@config.command("render", epilog=RENDER_EPILOG)
@click.argument("name", shell_complete=completions.templates)
@click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=completions.template_settings,
    help="Set KEY to VALUE; repeatable.",
)
@click.option(
    "-o",
    "--output",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write this file instead of stdout.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["v1", "v2"]),
    default="v1",
    help="v1: the list for `receptor --config`; v2: the map for `receptor --config-v2 --config`.",
)
@click.option(
    "--here/--elsewhere",
    "here",
    default=None,
    help="Whether the file is for this machine or for another one; default: --here for `local`, else --elsewhere.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def render_command(
    name: str,
    pairs: tuple[str, ...],
    path: Path | None,
    form: Literal["v1", "v2"],
    here: bool | None,
    force: bool,
) -> None:
    """Render the template NAME to a receptor.yml.

    With --here, relative paths start from the current directory, and programs are looked up on this machine. With
    --elsewhere, paths must be absolute, and nothing of this machine gets into the file: a program given by its bare
    name, such as the worker's default `receptor-runner`, is looked up by that machine's daemon in its PATH.
    """
    from receptor_runner.receptor_config.render import render

    text = render(name, dict(_pair(pair) for pair in pairs), form=form, on_this_machine=here)
    if path is None or str(path) == "-":
        output.write(text)
    else:
        write_new(path, text, mode=PRIVATE if name == "local" else SHARED, force=force)
        messages.note(f"wrote {path}")


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {text} is not KEY=VALUE", hint="receptor-runner config list")
    return key, value


@config.command("check", epilog=CHECK_EPILOG)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@parameters.as_json
@click.option(
    "--elsewhere", is_flag=True, help="The files are for other machines: do not check the paths in them."
)
def check_command(files: tuple[Path, ...], json_output: bool, elsewhere: bool) -> int:
    """Check receptor.yml FILES, rendered or written by hand, each for itself and all as nodes of one mesh."""
    from receptor_runner.receptor_config.linter import UNREADABLE, check_files

    findings = check_files(files, on_this_machine=not elsewhere)
    exit_code = show_findings(findings, json_output=json_output)
    return MissingInput.exit_code if any(found.code == UNREADABLE for found in findings) else exit_code
