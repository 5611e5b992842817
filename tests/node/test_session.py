"""Conversations on the control socket: the same questions to both daemons, the answers compared."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.harness import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node.conftest import Daemon

STATUS_KEYS = {
    "Advertisements",
    "Connections",
    "KnownConnectionCosts",
    "NodeID",
    "RoutingTable",
    "SystemCPUCount",
    "SystemMemoryMiB",
    "Version",
}
TIMES = re.compile(rb'"Time":[0-9]+,"TimeStr":"[0-9.]+(ns|\xc2\xb5s|ms|s)"')

SAME_ANSWERS = {
    "bogus": "ERROR: Unknown command",
    " status": "ERROR: Unknown command",
    '{"command":"STATUS"}': "ERROR: Unknown command",
    "status x": "ERROR: status command does not take parameters",
    "sta\rtus x": "ERROR: status command does not take parameters",
    '{"command":"status","requested_fields":["NodeID","Nope"]}': '{"NodeID":"n1"}',
    '{"command":"status","requested_fields":[]}': "{}",
    '{"command":"status","requested_fields":[1]}': "ERROR: each element of requested_fields must be a string",
    "ping n1": '{"From":"n1","Success":true,TIMES}',
    "PING localhost": '{"From":"n1","Success":true,TIMES}',
    "ping nosuch": '{"Error":"no route to node","Success":false}',
    "ping n1 extra": '{"Error":"no route to node","Success":false}',
    "ping": "ERROR: no ping target",
    '{"command":"ping"}': "ERROR: no ping target",
    '{"command":"ping","target":1}': "ERROR: ping target must be string",
    '{"command":"ping","target":""}': '{"Error":"no route to node","Success":false}',
    "traceroute n1": '{"0":{"From":"n1",TIMES}}',
    "traceroute nosuch": '{"0":{"From":"n1",TIMES},"1":{"Error":"no route to node","From":"n1",TIMES}}',
    "traceroute": "ERROR: no traceroute target",
    '{"command":"traceroute","target":[]}': "ERROR: traceroute target must be string",
    "reload": '{"Success":true}',
    "connect": "ERROR: no connect target",
    "connect n1": "ERROR: no connect target",
    "connect n1 control a b": "ERROR: too many parameters",
    "connect n1 control notls": "ERROR: unknown TLS config notls",
    "connect nosuch control": "ERROR: INTERNAL_ERROR (local): no route to node",
    "connect n1 nosvc": "ERROR: INTERNAL_ERROR (local): service unknown",
    '{"command":"connect"}': "ERROR: no connect target node",
    '{"command":"connect","node":"n1"}': "ERROR: no connect target service",
    '{"command":"connect","node":1,"service":"control"}': "ERROR: connect target node must be string",
    '{"command":"connect","node":"n1","service":"control","tls":1}': "ERROR: connect tls name must be string",
    "work": "ERROR: bad command",
    "work bogus": "ERROR: bad command",
    '{"command":"work"}': "ERROR: field subcommand missing",
    '{"command":"work","subcommand":"bogus"}': "ERROR: bad command",
    "work list": "{}",
    "WORK LIST": "{}",
    "work list zzzzzzzz": "ERROR: unknown work unit zzzzzzzz",
    "work list ": "ERROR: unknown work unit ",
    '{"command":"work","subcommand":"list","unitid":5}': "{}",
    "work status": "ERROR: work status requires a unit ID",
    "work status a b": "ERROR: work status does not take parameters after the unit ID",
    "work status nosuchid": "ERROR: unknown work unit nosuchid",
    '{"command":"work","subcommand":"status"}': "ERROR: field unitid missing",
    '{"command":"work","subcommand":"status","unitid":7}': "ERROR: field unitid must be a string",
    "work cancel nosuchid": "ERROR: unknown work unit nosuchid",
    "work release nosuchid": "ERROR: unknown work unit nosuchid",
    "work force-release nosuchid": "ERROR: unknown work unit nosuchid",
    "work release": "ERROR: work release requires a unit ID",
    "work results": "ERROR: work results requires a unit ID",
    "work results a 1 2": "ERROR: work results only takes a unit ID and optional start position",
    "work results nosuchid": "ERROR: unknown work unit nosuchid",
    "work results nosuchid +5": "ERROR: unknown work unit nosuchid",
    "work results a x": (
        'ERROR: error converting start position to integer: strconv.ParseInt: parsing "x": invalid syntax'
    ),
    "work results a 99999999999999999999": (
        "ERROR: error converting start position to integer: "
        'strconv.ParseInt: parsing "99999999999999999999": value out of range'
    ),
    '{"command":"work","subcommand":"results","unitid":"a"}': "ERROR: field startpos missing",
    '{"command":"work","subcommand":"results","unitid":"a","startpos":"5"}': (
        "ERROR: field startpos value 5 is not convertible to an int"
    ),
    '{"command":"work","subcommand":"results","unitid":"a","startpos":true}': (
        "ERROR: field startpos value %!s(bool=true) is not convertible to an int"
    ),
    '{"command":"work","subcommand":"results","unitid":"a","startpos":"x"}': (
        'ERROR: strconv.ParseInt: parsing "x": invalid syntax'
    ),
    "work submit": "ERROR: work submit requires a target node and work type",
    "work submit localhost": "ERROR: work submit requires a target node and work type",
    "work submit localhost nosuch": "ERROR: unknown work type nosuch",
    "work SUBMIT LOCALHOST nosuch": "ERROR: unknown work type nosuch",
    '{"command":"work","subcommand":"submit","worktype":"cat"}': "ERROR: field node missing",
    '{"command":"work","subcommand":"submit","node":"n1"}': "ERROR: field worktype missing",
    '{"command":"work","subcommand":"submit","node":"n1","worktype":"cat","signwork":true}': (
        "ERROR: submit parameters must all be strings and signwork is not"
    ),
    '{"command":"work","subcommand":"submit","node":"n1","worktype":"cat","ttl":"1h"}': (
        "ERROR: ttl option is intended for remote work only"
    ),
    '{"command":"work","subcommand":"submit","node":"n1","worktype":"cat","signature":"x"}': (
        "ERROR: work type did not expect a signature"
    ),
    '{"command":"work","subcommand":"submit","node":"b","worktype":"cat","tlsclient":"nope"}': (
        "ERROR: unknown TLS config nope"
    ),
    '{"command":"work","subcommand":"submit","node":"b","worktype":"cat","secret_a":"b"}': (
        "ERROR: cannot send secrets over a non-TLS connection"
    ),
}


def test_answers_are_the_daemons(daemon: Daemon) -> None:
    """One connection takes every question after the other, errors included, and each answer is Receptor's."""
    answers = {}
    daemon.await_reload()
    with daemon.connect() as client:
        assert client.greeting == b"Receptor Control, node n1\n"
        for question in SAME_ANSWERS:
            answers[question] = TIMES.sub(b"TIMES", client.ask(question.encode())).decode().rstrip("\n")
    assert answers == SAME_ANSWERS


def test_status_has_the_daemons_fields(daemon: Daemon) -> None:
    """`status` has exactly the eight fields, and an advertisement says what the node offers."""
    status = daemon.ask_json("status")
    assert set(status) == STATUS_KEYS
    assert list(status) == sorted(status)
    assert isinstance(status["Advertisements"], list)
    advert = status["Advertisements"][0]
    assert list(advert) == ["NodeID", "Service", "Time", "ConnType", "Tags", "WorkCommands"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", advert.pop("Time"))
    assert {"WorkType": "cat", "Secure": False} in advert.pop("WorkCommands")
    assert advert == {
        "NodeID": "n1",
        "Service": "control",
        "ConnType": 1,
        "Tags": {"type": "Control Service"},
    }
    assert (status["Connections"], status["KnownConnectionCosts"], status["RoutingTable"]) == ([], {}, {})
    assert isinstance(status["SystemCPUCount"], int)
    assert isinstance(status["SystemMemoryMiB"], int)


def test_version_is_that_of_receptorctl(daemon: Daemon, difference: Callable[[str], bool]) -> None:
    """The embedded node names the installed receptorctl's version, so that the client sees no mismatch."""
    from importlib.metadata import version

    answer = daemon.ask_json('{"command":"status","requested_fields":["Version"]}')
    if difference("version"):
        assert answer == {"Version": version("receptorctl")}


MALFORMED = [
    '{"command"',
    '{"command":"status"} x',
    '{"Command":"status"}',
    '{"command":1}',
    "{}",
    '{"command":NaN}',
]


def test_malformed_json_gets_its_errors(daemon: Daemon, difference: Callable[[str], bool]) -> None:
    """Malformed JSON is answered with an error, one line by the embedded node, and the next answer is in step."""
    with daemon.connect() as client:
        for question in MALFORMED:
            assert client.ask(question.encode()).startswith(b"ERROR: "), question
            if not difference("one-error-line"):
                assert client.read_line() == b"ERROR: Unknown command\n"
            assert client.ask(b"work list") == b"{}\n"


def test_requested_fields_that_are_no_list_are_refused(
    daemon: Daemon, difference: Callable[[str], bool]
) -> None:
    """A value of the wrong kind is an error; it ends the real daemon."""
    with daemon.connect() as client:
        answer = client.ask(b'{"command":"status","requested_fields":"Version"}')
        if difference("no-panic"):
            assert answer == b"ERROR: requested_fields must be a list\n"
            assert client.ask(b"work list") == b"{}\n"
        else:
            assert answer == b""
            wait_until(lambda: not daemon.is_running(), "the daemon is gone")


def test_blank_lines_and_carriage_returns_are_ignored(daemon: Daemon) -> None:
    """Empty lines get no reply, and a carriage return anywhere is dropped."""
    with daemon.connect() as client:
        assert client.ask(b"\n\r\n\nwork li\rst\r") == b"{}\n"


def test_requests_may_come_in_pieces_or_together(daemon: Daemon) -> None:
    """A request split over writes is one request, and two requests in a write are two."""
    with daemon.connect() as client:
        client.send(b"wo")
        client.send(b"rk list\nwork")
        client.send(b" list\nping\n")
        assert [client.read_line() for _ in range(3)] == [b"{}\n", b"{}\n", b"ERROR: no ping target\n"]


def test_last_line_needs_no_newline(daemon: Daemon) -> None:
    """What came before the end of the client's side is still answered, then the session ends."""
    with daemon.connect() as client:
        client.send(b"work list")
        client.half_close()
        assert client.read_all() == b"{}\n"


def test_connect_leads_to_a_new_session(daemon: Daemon) -> None:
    """A bridge to the node's own control service greets again and serves everything."""
    unit = daemon.submit("cat", payload=b"over the bridge")
    daemon.wait_for_state(unit, "Succeeded")
    with daemon.connect() as client:
        assert client.ask(b"connect n1 control ") == b"Connecting\n"
        assert client.read_line() == b"Receptor Control, node n1\n"
        assert list(json.loads(client.ask(b"work list"))) == [unit]
        assert client.ask(f"work results {unit}".encode()).startswith(b"Streaming results")
        assert client.read_all() == b"over the bridge"


def test_long_line_is_refused_and_skipped(embedded: Daemon, documented: Callable[[str], None]) -> None:
    """A line beyond a mebibyte gets one error without being kept, and the session goes on."""
    documented("bounded-line")
    with embedded.connect() as client:
        client.send(b"x" * 5_000_000 + b"\nwork list\n")
        assert client.read_line() == b"ERROR: command line is longer than 1048576 bytes\n"
        assert client.read_line() == b"{}\n"


HOSTILE_IDS = ["../n1", ".", "a/b/c/de", "%2e%2e", "\udcff" * 8, "x" * 7, "*" * 8]


def test_unit_ids_cannot_leave_the_data_directory(
    embedded: Daemon, documented: Callable[[str], None]
) -> None:
    """Only eight letters and digits are a unit id; nothing else touches the disk."""
    documented("strict-unit-ids")
    with embedded.connect() as client:
        for unit in HOSTILE_IDS:
            for command in ("status", "cancel", "release", "force-release", "results", "list"):
                answer = client.ask(f"work {command} {unit}".encode(errors="surrogateescape"))
                assert answer.startswith(b"ERROR: unknown work unit "), (command, unit)
    assert list(embedded.units_dir.iterdir()) == []
    assert {path.name for path in embedded.units_dir.parent.iterdir()} == {"n1", "n1.lock"}


GARBAGE = [
    b"\x00\xff\xfe{\n",
    b'{"command":"work","subcommand":"status","unitid":"\\ud800"}\n',
    b"{" * 5000 + b"\n",
    b'{"command":"work","subcommand":"results","unitid":"a","startpos":1e999}\n',
    b'{"command":"ping","target":"' + b"\\u0000" * 9 + b'"}\n',
]


def test_garbage_gets_one_line(embedded: Daemon, documented: Callable[[str], None]) -> None:
    """Whatever comes, one line goes back and the node lives."""
    documented("one-error-line")
    with embedded.connect() as client:
        for garbage in GARBAGE:
            client.send(garbage + b"work list\n")
            assert client.read_line().endswith(b"\n")
            assert client.read_line() == b"{}\n"


def test_idle_connections_cost_nothing_to_the_others(embedded: Daemon) -> None:
    """Three hundred silent clients do not keep the next one from being served."""
    clients = [embedded.connect() for _ in range(300)]
    assert embedded.ask("work list") == b"{}\n"
    for client in clients:
        client.close()
    wait_until(lambda: embedded.count_open_files() < 50, "the node let go of them")
