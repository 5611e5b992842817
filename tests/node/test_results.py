"""Streaming results: offsets, many readers, units in every state, readers that leave."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.harness import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import ControlClient
    from tests.node.conftest import Daemon


FROM_OFFSET = {None: b"hello\nworld", 0: b"hello\nworld", 6: b"world", 11: b"", 999: b"", -1: b""}
BY_JSON = {0: b"hello\nworld", 5: b"\nworld", 5.9: b"\nworld"}


def test_results_start_at_an_offset(daemon: Daemon) -> None:
    """Results start at the byte asked for, beyond the end there are none; the JSON form takes a number."""
    unit = daemon.submit("cat", payload=b"hello\nworld")
    daemon.wait_for_state(unit, "Succeeded")
    assert {start: daemon.results(unit, start) for start in FROM_OFFSET} == FROM_OFFSET
    for start, expected in BY_JSON.items():
        request = {"command": "work", "subcommand": "results", "unitid": unit, "startpos": start}
        with daemon.connect() as client:
            assert client.ask(json.dumps(request).encode()).startswith(b"Streaming results")
            assert client.read_all() == expected


def test_readers_may_come_before_the_payload(daemon: Daemon) -> None:
    """Readers of a unit that waits get the header at once, then each its own part, then the end."""
    with daemon.connect() as upload:
        unit = daemon.open_upload(upload, "cat")
        readers = [daemon.connect() for _ in range(3)]
        for number, reader in enumerate(readers):
            daemon.open_results(reader, unit, number)
        upload.send(b"abcdef")
        upload.half_close()
        assert [reader.read_all() for reader in readers] == [b"abcdef", b"bcdef", b"cdef"]
        for reader in readers:
            reader.close()


def test_output_arrives_while_the_command_runs(daemon: Daemon) -> None:
    """Both streams of the command are merged, and each line arrives before the next is written."""
    unit = daemon.submit("sh", "'echo one; until test -e go; do sleep 0.05; done; echo two >&2'")
    with daemon.connect() as client:
        daemon.open_results(client, unit)
        client.half_close()
        assert client.read_line() == b"one\n"
        (daemon.directory / "go").touch()
        assert client.read_all() == b"two\n"


def test_results_of_a_failed_unit_end(daemon: Daemon) -> None:
    """A unit whose command failed or never started ends its results too."""
    failed = daemon.submit("sh", "'echo last words; exit 7'")
    missing = daemon.submit("missing")
    assert daemon.results(failed) == b"last words\n"
    assert daemon.results(missing) == b""


def test_results_of_a_canceled_unit_end(daemon: Daemon, difference: Callable[[str], bool]) -> None:
    """A reader of a unit that is cancelled gets all that was written and then the end."""
    unit = daemon.submit("sh", "'echo early; exec sleep 600'")
    with daemon.connect() as client:
        daemon.open_results(client, unit)
        assert client.read_line() == b"early\n"
        assert daemon.ask_json(f"work cancel {unit}") == {"cancelled": unit}
        if difference("canceled-ends-stream"):
            assert client.read_all() == b""
            assert daemon.results(unit) == b"early\n"
            assert daemon.results(unit, 3) == b"ly\n"


def test_results_of_a_released_unit_end(daemon: Daemon) -> None:
    """Releasing a unit ends its readers' streams."""
    unit = daemon.submit("sh", "'echo early; exec sleep 600'")
    with daemon.connect() as client:
        daemon.open_results(client, unit)
        assert client.read_line() == b"early\n"
        assert daemon.ask_json(f"work release {unit}") == {"released": unit}
        assert client.read_all() == b""


@pytest.mark.parametrize("transport", ["unix", "tcp"])
def test_readers_that_leave_are_noticed(
    embedded_tcp: Daemon,
    connect_tcp: Callable[[], ControlClient],
    documented: Callable[[str], None],
    transport: str,
) -> None:
    """Readers of a silent unit that go away hold nothing in the node (on TCP: once something is written)."""
    documented("vanished-readers-noticed")
    unit = embedded_tcp.submit(
        "sh", "'echo here; until test -e go; do sleep 0.05; done; echo on; exec sleep 600'"
    )
    before = embedded_tcp.count_open_files()
    readers = [embedded_tcp.connect() if transport == "unix" else connect_tcp() for _ in range(20)]
    for reader in readers:
        embedded_tcp.open_results(reader, unit)
        reader.half_close()
        assert reader.read_line() == b"here\n"
    assert embedded_tcp.count_open_files() > before + 30
    for reader in readers:
        reader.close()
    if transport == "tcp":
        (embedded_tcp.directory / "go").touch()
    wait_until(lambda: embedded_tcp.count_open_files() <= before, "the node let go of its readers")


def test_what_a_reader_sends_does_not_reset_it(daemon: Daemon, difference: Callable[[str], bool]) -> None:
    """Bytes that a reader sends are ignored, and its stream ends in good order."""
    unit = daemon.submit("sh", "'until test -e go; do sleep 0.05; done; echo done'")
    with daemon.connect() as client:
        daemon.open_results(client, unit)
        client.send(b"are you there?\n" * 100)
        (daemon.directory / "go").touch()
        if difference("no-reset"):
            assert client.read_all() == b"done\n"


def test_many_readers_of_a_silent_unit_cost_little(embedded: Daemon) -> None:
    """A hundred readers wait for a silent unit without keeping a processor busy."""
    unit = embedded.submit("sh", "'exec sleep 600'")
    embedded.wait_for_state(unit, "Running")
    readers = [embedded.connect() for _ in range(100)]
    for reader in readers:
        embedded.open_results(reader, unit)
    assert embedded.measure_cpu_share(seconds=2) < 0.35
    for reader in readers:
        reader.close()


def test_output_at_once_is_complete(daemon: Daemon) -> None:
    """Results read while a lot is written are the bytes that were written."""
    unit = daemon.submit("sh", "'seq 1 400000'")
    expected = b"".join(b"%d\n" % number for number in range(1, 400_001))
    assert daemon.results(unit) == expected
    assert daemon.wait_for_state(unit, "Succeeded")["StdoutSize"] == len(expected)
