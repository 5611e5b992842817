"""What a clean-up removes: the options of `cleanup` and `worker cleanup`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import click

from receptor_runner.cli.commands import Command
from receptor_runner.cli.parameters import Duration, option

_SEVERAL_WORDS = ("--exclude-strings", "--remove-images")
_BETWEEN_WORDS = re.compile(r"[\s,]+")


class WordsCommand(Command):
    """A command with options that take several words each, up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option in front of each of its words, which is what click understands."""
        return super().parse_args(ctx, list(_spread(args)))


def _spread(words: list[str]) -> Iterator[str]:
    flag = ""
    for word in words:
        if word in _SEVERAL_WORDS:
            flag = word
        elif flag and not word.startswith("-"):
            yield f"{flag}={word}"
        else:
            flag = ""
            yield word


def _split(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the single words of what was given, each once."""
    return tuple(dict.fromkeys(word for text in given for word in _BETWEEN_WORDS.split(text) if word))


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupOptions:
    """What a clean-up removes, in the words of ansible-runner's `worker cleanup` and more."""

    file_pattern: str | None = option(
        "--file-pattern",
        metavar="GLOB",
        help="Private data directories to remove, such as '/tmp/awx_*_*'.",
    )
    exclude_strings: tuple[str, ...] = option(
        "--exclude-strings",
        multiple=True,
        callback=_split,
        metavar="WORDS",
        help="Keep directories with one of these words in their path.",
    )
    grace_period_min: float = option(
        "--grace-period",
        type=Duration(),
        default=60.0,
        show_default=True,
        metavar="MINUTES",
        help="Keep directories that changed within this time; 0 for none.",
    )
    remove_images: tuple[str, ...] = option(
        "--remove-images",
        multiple=True,
        callback=_split,
        metavar="WORDS",
        help="Remove these names from their container images.",
    )
    image_prune: bool = option(
        "--image-prune", is_flag=True, help="Then remove container images without a name."
    )
    engine: str = option(
        "--process-isolation-executable",
        default="podman",
        show_default=True,
        metavar="ENGINE",
        help="The container engine: podman or docker.",
    )
    store: bool = option(
        "--store", is_flag=True, help="Remove what workers of this user have kept of earlier jobs' projects."
    )
    dry_run: bool = option("--dry-run", is_flag=True, help="Only show what would be removed.")
