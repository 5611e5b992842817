"""Drawing with rich: text with colors, if its stream gets them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, RenderableType

from receptor_runner.cli import color

_ASCII = str.maketrans({"\N{MIDDLE DOT}": "-", "\N{HORIZONTAL ELLIPSIS}": "~"})


def terminal_console(stream: TextIO) -> Console:
    """Return a console that draws for the terminal behind a stream."""
    wants_color = color.is_wanted(stream)
    return Console(
        file=stream,
        force_terminal=True,
        color_system="auto" if wants_color else None,
        no_color=not wants_color,
        highlight=False,
        markup=False,
        emoji=False,
    )


def draw(console: Console, parts: Iterable[RenderableType]) -> str:
    """Return parts of a line as text for the terminal."""
    with console.capture() as capture:
        for part in parts:
            console.print(part, end="", soft_wrap=True)
    text = capture.get()
    return text if console.encoding.startswith("utf") else text.translate(_ASCII)
