"""What is written where there is no terminal."""

from __future__ import annotations

import sys

import pytest
from receptor_runner.cli import messages
from receptor_runner.cli.live import renderers
from receptor_runner.cli.live.bottom_line import BottomLine
from receptor_runner.cli.live.renderers import PlainRenderer
from receptor_runner.cli.live.view import Upload


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The notes on stderr."""
    written: list[str] = []
    monkeypatch.setattr(messages, "note", lambda text, _level=0: written.append(text))
    return written


def test_an_upload_is_told_now_and_then(notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One line each ten seconds, with bytes, share, rate and time left; none for an upload that is over sooner."""
    renderer = PlainRenderer(lambda _text: None)
    progress = Upload(sent=100 << 20, size=300 << 20, rate=float(10 << 20))
    renderer.upload(progress)
    assert notes == []
    monkeypatch.setattr(renderers, "UPLOAD_PAUSE_S", 0.0)
    renderer.upload(progress)
    renderer.upload(Upload(sent=300 << 20, size=300 << 20, rate=1.0))
    assert notes == ["uploaded 100.0 MiB of 300.0 MiB (33 %), 10.0 MiB/s, 20 s left"]


def test_a_line_that_cannot_be_drawn_touches_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """An error in drawing the status line ends the line; the output is written all the same."""
    written: list[str] = []
    calls: list[int] = []

    def draw(width: int) -> tuple[str, int]:
        calls.append(width)
        raise ZeroDivisionError

    line = BottomLine(draw, written.append)
    for number in range(3):
        line.write(f"{number}\n")
        with line.aside():
            pass
    line.close()
    assert "".join(written) == "0\n1\n2\n"
    assert len(calls) == 1
    assert capfd.readouterr().err == ""


def test_output_stands_above_the_line(capfd: pytest.CaptureFixture[str]) -> None:
    """The line is erased before output and notes, and drawn again behind them; at the end nothing of it is left."""

    def say(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    line = BottomLine(lambda _width: ("status", 6), say)
    line.write("one\n")
    with line.aside():
        say("note\n")
    line.close()
    seen = capfd.readouterr()
    assert seen.out == "one\nnote\n"
    assert seen.err.startswith("status\r\x1b[J")
    assert seen.err.endswith("\r\x1b[J")
