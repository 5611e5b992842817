"""The adapter to receptorctl, against both daemons and against sockets that misbehave."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import receptorctl
from receptor_runner.errors import NodeUnavailable, Rejected, UnknownUnit, Unreachable, UsageError
from receptor_runner.receptor.control.protocol import Control, Deadlines
from receptor_runner.receptor.control.unit import UnitState, WorkOrder
from tests.harness import ServedNode, wait_until
from tests.receptor.conftest import HandlerRan, LateSignal

QUICK = Deadlines(connect_s=0.3, reply_s=0.3, cancel_s=0.3, payload_s=0.3)
GREETING = b"Receptor Control, node x\n"


@pytest.fixture
def control(node: ServedNode) -> Control:
    """The control service of a running node."""
    return Control(str(node.socket))


def order(params: str = "--worker-info") -> WorkOrder:
    """Order a unit that ends at once."""
    return WorkOrder(work_type="receptor-runner", params=params)


def finished_unit(control: Control) -> str:
    """Run a unit to its end; return its id."""
    with control.submit(order()) as submission:
        submission.start([])
    wait_until(lambda: control.unit_status(submission.unit_id).state.is_complete, "the unit ends")
    return submission.unit_id


def read_all(control: Control, unit_id: str, offset: int = 0) -> bytes:
    """Read a unit's results to their end."""
    pieces = bytearray()
    with control.results(unit_id, offset) as results:
        while (piece := results.read(10.0)) != b"":
            assert piece is not None, "nothing came for 10 s"
            pieces += piece
    return bytes(pieces)


def test_the_names_we_rely_on_exist() -> None:
    """receptorctl still has the parts that the adapter builds on."""
    assert {
        "connect",
        "handshake",
        "readstr",
        "writestr",
        "simple_command",
        "connect_to_service",
        "get_work_results",
        "close",
    } <= set(dir(receptorctl.ReceptorControl))
    fresh = receptorctl.ReceptorControl("/nowhere")
    assert fresh._socket is None
    assert fresh._sockfile is None
    assert fresh._remote_node is None


def test_status_says_who_answers(control: Control) -> None:
    """The status of a node has its id and its work types."""
    status = control.status("NodeID", "Advertisements")
    assert set(status) == {"NodeID", "Advertisements"}
    assert status["NodeID"] == "primary"
    offered = [command["WorkType"] for command in status["Advertisements"][0]["WorkCommands"]]
    assert "receptor-runner" in offered


def test_ping(control: Control) -> None:
    """A node that answers does so in some time; one that does not is unreachable, in the local node's words."""
    own = str(control.status("NodeID")["NodeID"])
    assert 0 <= control.ping(own) < 10
    with pytest.raises(Unreachable, match="node `nosuch` does not answer: no route to node"):
        control.ping("nosuch")


def test_the_status_of_another_node(control: Control) -> None:
    """It is asked through the local node; here that leads back to itself. What the local node refuses is said."""
    own = str(control.status("NodeID")["NodeID"])
    assert control.status_of(own, "NodeID") == {"NodeID": own}
    with pytest.raises(NodeUnavailable, match="no route to node"):
        control.status_of("nosuch", "NodeID")
    with pytest.raises(Rejected, match="unknown TLS config nope"):
        control.status_of(own, "NodeID", tls_client="nope")


def test_the_unit_id_is_known_before_the_payload(control: Control) -> None:
    """A submission has its unit's id, and the unit waits, before any payload is sent."""
    with control.submit(order()) as submission:
        assert len(submission.unit_id) == 8
        assert control.unit_status(submission.unit_id).state is UnitState.PENDING
        assert submission.start([]) == "Job Started"


def test_results_can_be_read_from_any_offset(control: Control) -> None:
    """Results from an offset are exactly the rest; at and behind the end they are empty."""
    unit_id = finished_unit(control)
    whole = read_all(control, unit_id)
    assert b"cpu_count" in whole
    assert read_all(control, unit_id, 5) == whole[5:]
    assert read_all(control, unit_id, len(whole)) == b""
    assert read_all(control, unit_id, len(whole) + 99) == b""
    assert control.unit_status(unit_id).stdout_size == len(whole)


def test_release_and_cancel_of_unknown_units_are_named(control: Control) -> None:
    """A unit that is not there is an error of its own kind."""
    for ask in (control.cancel, control.release, control.unit_status):
        with pytest.raises(UnknownUnit):
            ask("zzzzzzzz")
    with pytest.raises(UnknownUnit):
        control.results("zzzzzzzz")


def test_release_removes_the_unit(control: Control) -> None:
    """A released unit is not listed any more."""
    unit_id = finished_unit(control)
    assert unit_id in control.units()
    assert control.release(unit_id) is True
    wait_until(lambda: unit_id not in control.units(), "the unit is gone")


def test_an_unknown_work_type_is_refused_before_the_payload(control: Control) -> None:
    """A local node refuses a work type that it does not have, and keeps no unit."""
    before = set(control.units())
    with pytest.raises(Rejected, match="work type"):
        control.submit(WorkOrder(work_type="nope"))
    assert set(control.units()) == before


def test_no_socket_is_unreachable(tmp_path: Path) -> None:
    """A socket that does not exist is worth another try: the node may be starting."""
    with pytest.raises(Unreachable, match="does not exist"):
        Control(str(tmp_path / "nope.sock")).status()


def test_a_socket_left_behind_is_unreachable(short_dir: Path) -> None:
    """A socket on which no process listens says so."""
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(short_dir / "left.sock"))
    left.close()
    with pytest.raises(Unreachable, match="connection refused"):
        Control(str(short_dir / "left.sock")).status()


def test_a_strange_address_is_a_usage_error() -> None:
    """What is no address is told at once."""
    with pytest.raises(UsageError, match="invalid socket address"):
        Control("tcp://nowhere:port:7").status()


def test_a_socket_that_does_not_answer_meets_the_deadline(impostor: Callable[..., str]) -> None:
    """A node that accepts and says nothing is given up, with or without a greeting."""
    address = impostor(lambda _connection: None)
    with pytest.raises(Unreachable, match="does not answer"):
        Control(address, deadlines=QUICK).status()
    greeting_only = impostor(lambda connection: connection.sendall(GREETING))
    quick = Control(greeting_only, deadlines=QUICK)
    questions: list[Callable[[], object]] = [
        quick.status,
        lambda: quick.submit(WorkOrder(work_type="x")),
        lambda: quick.results("abcdefgh"),
        lambda: quick.cancel("abcdefgh"),
    ]
    for ask in questions:
        with pytest.raises(Unreachable, match="does not answer"):
            ask()


def test_a_hang_up_is_unreachable(impostor: Callable[..., str]) -> None:
    """A node that dies instead of replying is an error that may pass, not a JSON error."""

    def manners(connection: socket.socket) -> None:
        connection.sendall(GREETING)
        connection.recv(1000)
        connection.close()

    with pytest.raises(Unreachable, match="closed the connection"):
        Control(impostor(manners), deadlines=QUICK).status()
    with pytest.raises(Unreachable):
        Control(impostor(manners), deadlines=QUICK).submit(WorkOrder(work_type="x"))


def test_another_service_is_recognised(impostor: Callable[..., str]) -> None:
    """Something that is no control service is named as such."""
    address = impostor(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9\r\n"))
    with pytest.raises(NodeUnavailable, match="not a Receptor control service"):
        Control(address, deadlines=QUICK).status()


def test_results_that_came_with_the_header_are_not_lost(impostor: Callable[..., str]) -> None:
    """Bytes that arrive in the same packet as the header belong to the results."""

    def manners(connection: socket.socket) -> None:
        connection.sendall(GREETING)
        connection.recv(1000)
        connection.sendall(b"Streaming results for work unit abcdefgh\nfirst")
        connection.sendall(b"second")
        connection.close()

    assert read_all(Control(impostor(manners)), "abcdefgh") == b"firstsecond"


def test_a_quiet_unit_gives_none(impostor: Callable[..., str]) -> None:
    """While nothing comes, reading says so in time and can go on."""

    def manners(connection: socket.socket) -> None:
        connection.sendall(GREETING)
        connection.recv(1000)
        connection.sendall(b"Streaming results for work unit abcdefgh\n")

    with Control(impostor(manners)).results("abcdefgh") as results:
        assert results.read(0.05) is None
        assert results.read(0.05) is None


def test_a_signal_is_heard_in_every_wait(
    impostor: Callable[..., str], late_signal: Callable[[], LateSignal]
) -> None:
    """A signal that comes just before a wait for the node begins ends it soon, long before its deadline."""
    patient = Deadlines(connect_s=600, reply_s=600, payload_s=600)

    def accepts_no_payload(connection: socket.socket) -> None:
        connection.sendall(GREETING)
        connection.recv(1000)
        connection.sendall(b"Work unit created with ID abcdefgh. Send stdin data and EOF.\n")

    def upload() -> None:
        control = Control(impostor(accepts_no_payload), deadlines=patient)
        with control.submit(WorkOrder(work_type="x")) as submission:
            submission.start(itertools.repeat(b"x" * 65536))

    waits: list[Callable[[], object]] = [
        Control(impostor(lambda _connection: None), deadlines=patient).status,
        Control(impostor(lambda connection: connection.sendall(GREETING)), deadlines=patient).status,
        upload,
    ]
    for wait in waits:
        with late_signal(), pytest.raises(HandlerRan):
            wait()
