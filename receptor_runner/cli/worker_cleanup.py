"""`receptor-runner worker cleanup`, and what it shares with `receptor-runner cleanup`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from receptor_runner.cli import mesh, options, show

if TYPE_CHECKING:
    from receptor_runner.cleanup.cleanup import Fate, Report

EPILOG = """\b
Examples:
  receptor-runner worker cleanup --file-pattern '/tmp/awx_*_*' --dry-run
  receptor-runner worker cleanup --file-pattern '/tmp/awx_*_*' --exclude-strings awx_42_ awx_43_
  receptor-runner worker cleanup --remove-images quay.io/org/ee:old --image-prune
"""

_SEVERAL_WORDS = ("--exclude-strings", "--remove-images")
_BETWEEN_WORDS = re.compile(r"[\s,]+")


class WordsCommand(click.Command):
    """A command with options that take several words each, up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give each of the words an option of its own, which is what click knows."""
        return super().parse_args(ctx, list(_spread(args)))


def _spread(words: list[str]) -> Iterator[str]:
    option = ""
    for word in words:
        if word in _SEVERAL_WORDS:
            option = word
        elif option and not word.startswith("-"):
            yield f"{option}={word}"
        else:
            option = ""
            yield word


def _split(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the single words of what was given, each once."""
    return tuple(dict.fromkeys(word for text in given for word in _BETWEEN_WORDS.split(text) if word))


what_to_clean = options.together(
    click.option(
        "--file-pattern",
        metavar="GLOB",
        help="Private data directories to remove, such as '/tmp/awx_*_*'.",
    ),
    click.option(
        "--exclude-strings",
        multiple=True,
        callback=_split,
        metavar="WORDS",
        help="Keep directories with one of these words in their path.",
    ),
    click.option(
        "--grace-period",
        "grace_period_min",
        type=options.Duration(),
        default=60.0,
        show_default=True,
        metavar="MINUTES",
        help="Keep directories that changed within this time; 0 for none.",
    ),
    click.option(
        "--remove-images",
        multiple=True,
        callback=_split,
        metavar="WORDS",
        help="Take these names away from their container images.",
    ),
    click.option("--image-prune", is_flag=True, help="Then remove container images without a name."),
    click.option(
        "--process-isolation-executable",
        "engine",
        default="podman",
        show_default=True,
        metavar="ENGINE",
        help="The container engine: podman or docker.",
    ),
    click.option("--dry-run", is_flag=True, help="Only tell what would be removed."),
    mesh.as_json,
)
"""The options of a clean-up, those of ansible-runner's `worker cleanup` and more."""


@click.command(cls=WordsCommand, short_help="Remove what jobs left behind on this machine.", epilog=EPILOG)
@what_to_clean
def cleanup(json_output: bool, **given: Any) -> int:
    """Remove private data directories and container images that were left on this machine.

    WORDS are one or more words behind one option, or with commas or blanks between them, or the option repeated.

    A directory goes if a worker made it, or if it is at least two levels deep and the last part of GLOB holds a
    letter or digit. It stays while a job or another process is in it. Links, files and mounted filesystems stay.
    System and home directories, the current one and all above them are refused: then nothing is removed at all.

    The last line is `(changed: True)` or `(changed: False)`. One failure does not stop the rest; the exit code is then
    74 if a directory could not be removed, 66 if the container engine is missing, 76 if it failed.
    """
    from receptor_runner.cleanup.cleanup import Cleanup, clean_up

    wanted = Cleanup(**given)
    if json_output:
        report = clean_up(wanted)
        show.data(_describe(report))
        failure = report.failure()
        return failure.exit_code if failure else 0
    return _conclude(clean_up(wanted, click.echo))


def _conclude(report: Report) -> int:
    """Tell what was left, then whether anything changed, on the last line even where stderr goes the same way."""
    from receptor_runner.cleanup.cleanup import Fate

    for found in report.of(Fate.SKIPPED):
        show.note(f"warning: left {found.name}: {found.reason}")
    failure = report.failure()
    exit_code = show.error(failure) if failure else 0
    click.echo(f"(changed: {report.changed})")
    return exit_code


def _describe(report: Report) -> dict[str, Any]:
    """Return a report as programs read it."""
    from receptor_runner.cleanup.cleanup import Fate

    def listed(fate: Fate) -> list[dict[str, str]]:
        return [{"path": found.name, "reason": found.reason} for found in report.of(fate)]

    failure = report.failure()
    return {
        "schema": 1,
        "changed": report.changed,
        "dry_run": report.dry_run,
        "removed": [found.name for found in report.directories if found.fate is Fate.REMOVED],
        "registry_auth": [found.name for found in report.registry_auth if found.fate is Fate.REMOVED],
        "running": listed(Fate.RUNNING),
        "skipped": listed(Fate.SKIPPED),
        "failed": listed(Fate.FAILED),
        "images": report.images,
        "pruned": report.pruned,
        "error": str(failure) if failure else None,
    }
