"""Text and descriptions become numbered events that tell the whole output."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receptor_runner.execution.events import Assembler, OutputFile
from tests.execution.conftest import Told


class Bench:
    """An assembler, its sink and its file."""

    def __init__(self, path: Path | None = None, *, as_json: bool = False) -> None:
        self.told = Told()
        self.output = OutputFile(path, as_json=as_json)
        self.assembler = Assembler(ident="7", sink=self.told, output=self.output)

    def shown(self) -> list[tuple[str, int, int]]:
        """Return text and lines of the events."""
        return [(event["stdout"], event["start_line"], event["end_line"]) for event in self.told.events]


def test_each_line_of_text_is_a_verbose_event() -> None:
    """Lines are told when they are complete, an unfinished one when something follows it."""
    bench = Bench()
    bench.assembler.add_text("one\r\ntw")
    assert bench.shown() == [("one", 0, 1)]
    assert bench.assembler.unfinished_line == "tw"
    bench.assembler.add_text("o\r\n\r\nprompt: ")
    bench.assembler.add_event("\r\nPLAY\r\n", {"uuid": "u", "event": "playbook_on_play_start"})
    assert bench.shown() == [("one", 0, 1), ("two", 1, 2), ("", 2, 3), ("prompt: ", 3, 3), ("\r\nPLAY", 3, 5)]
    assert [event["event"] for event in bench.told.events] == ["verbose"] * 4 + ["playbook_on_play_start"]


def test_the_fields_of_an_event_follow_its_place() -> None:
    """Number, text, lines and ident come first, then what the plugin says, in its order."""
    bench = Bench()
    bench.assembler.add_event("x", {"event": "runner_on_ok", "pid": 1, "uuid": "u", "event_data": {}})
    place = ["uuid", "counter", "stdout", "start_line", "end_line", "runner_ident"]
    assert list(bench.told.events[0]) == [*place, "event", "pid", "event_data"]
    assert "event_data" not in verbose_event()


def verbose_event() -> dict[str, object]:
    """Return the event of a line of text."""
    bench = Bench()
    bench.assembler.add_text("x\n")
    return bench.told.events[0]


@given(st.lists(st.text(alphabet="ab\r\n\x1b ", max_size=6), max_size=12))
def test_no_text_is_lost_however_it_is_torn(pieces: list[str]) -> None:
    """The lines of the events add up to the text, and join without gaps."""
    bench = Bench()
    for piece in pieces:
        bench.assembler.add_text(piece)
    bench.assembler.flush()
    text = "".join(pieces)
    line = 0
    for counter, (event, (_stdout, start, end)) in enumerate(
        zip(bench.told.events, bench.shown(), strict=True), 1
    ):
        assert (event["counter"], start) == (counter, line)
        line = end
    assert line == text.count("\n")
    told = "".join(event["stdout"] for event in bench.told.events)
    assert told.translate({10: None, 13: None}) == text.translate({10: None, 13: None})


def test_the_file_holds_the_output(tmp_path: Path) -> None:
    """Text stands as it came, an event's text ends its line, and the file is private."""
    bench = Bench(tmp_path / "stdout")
    bench.assembler.add_text("loose\r\n")
    bench.assembler.add_event("ok\r\n", {"uuid": "u"})
    bench.assembler.add_event("", {"uuid": "v"})
    bench.assembler.add_text("unfinished é")
    bench.assembler.flush()
    bench.output.close()
    assert (tmp_path / "stdout").read_bytes().decode() == "loose\r\nok\nunfinished é\n"
    assert stat.S_IMODE((tmp_path / "stdout").stat().st_mode) == 0o600


def test_the_file_holds_events_instead(tmp_path: Path) -> None:
    """In json mode it holds one event a line, those without text too."""
    bench = Bench(tmp_path / "stdout", as_json=True)
    bench.assembler.add_event("ok\r\n", {"uuid": "u"})
    bench.assembler.add_event("", {"uuid": "v"})
    bench.output.close()
    lines = (tmp_path / "stdout").read_text().splitlines()
    assert [json.loads(line) for line in lines] == bench.told.events


@pytest.mark.parametrize("broken", ["\udcff", "a\ud800b"])
def test_letters_that_are_none_do_no_harm(tmp_path: Path, broken: str) -> None:
    """A lone surrogate is replaced in the file."""
    bench = Bench(tmp_path / "stdout")
    bench.assembler.add_event(broken, {"uuid": "u"})
    bench.output.close()
    assert "?" in (tmp_path / "stdout").read_text()
