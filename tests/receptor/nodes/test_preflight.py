"""What is checked before an upload, on statuses as nodes give them."""

from __future__ import annotations

from typing import Any

import pytest
from receptor_runner.errors import NodeUnavailable, Rejected, Unreachable
from receptor_runner.receptor.nodes.preflight import find_route


def advert(node: str, *types: str, secure: bool = False, connection_type: int = 1) -> dict[str, Any]:
    """Return a service advertisement."""
    commands = [{"WorkType": name, "Secure": secure} for name in types]
    return {"NodeID": node, "Service": "control", "ConnType": connection_type, "WorkCommands": commands}


class Known:
    """A control service that knows a fixed mesh."""

    def __init__(self, *adverts: dict[str, Any], routes: tuple[str, ...] = ()) -> None:
        self._status = {
            "NodeID": "ctl",
            "Advertisements": list(adverts),
            "RoutingTable": {name: name for name in routes},
            "KnownConnectionCosts": {},
        }

    def status(self, *_fields: str) -> dict[str, Any]:
        """Answer as a node does."""
        return self._status


def route(known: Known, node: str | None = None, work_type: str | None = None) -> Any:
    """Find a route in a known mesh."""
    return find_route(known, node, work_type)  # type: ignore[arg-type]


def test_our_work_type_is_preferred() -> None:
    """Unless one is named, ours is taken, or ansible-runner where the node offers only that."""
    both = Known(advert("ctl", "ansible-runner", "receptor-runner"))
    assert route(both).work_type == "receptor-runner"
    assert route(Known(advert("ctl", "ansible-runner", "cat"))).work_type == "ansible-runner"


def test_the_asked_node_is_local() -> None:
    """No node, `localhost` and its own id all mean the local node."""
    known = Known(advert("ctl", "receptor-runner"))
    for name in (None, "localhost", "LocalHost", "ctl"):
        assert route(known, name).is_local


def test_a_remote_node_brings_its_demands() -> None:
    """Whether signatures and TLS are wanted is read from the advertisement."""
    known = Known(advert("exec1", "receptor-runner", secure=True, connection_type=2), routes=("exec1",))
    found = route(known, "exec1")
    assert (found.is_local, found.wants_signature, found.wants_tls) == (False, True, True)


def test_an_unknown_node_is_told_with_the_nearest() -> None:
    """A typo in the node's name is answered with the name that was meant and with all that are known."""
    known = Known(advert("ctl", "receptor-runner"), advert("exec1", "receptor-runner"), routes=("exec1",))
    with pytest.raises(NodeUnavailable) as caught:
        route(known, "exec2")
    assert caught.value.hint == "did you mean `exec1`?"
    assert caught.value.cause == "the nodes of the mesh are ctl, exec1"


def test_an_unknown_work_type_is_told_with_what_is_offered() -> None:
    """A typo in the work type is answered likewise."""
    with pytest.raises(Rejected) as caught:
        route(Known(advert("ctl", "receptor-runner", "cat")), work_type="receptor-runer")
    assert caught.value.hint == "did you mean `receptor-runner`?"
    assert caught.value.cause == "it offers: cat, receptor-runner"


def test_a_node_that_has_not_advertised_yet_may_come() -> None:
    """A routed node without an advertisement is worth waiting for, not unknown."""
    with pytest.raises(Unreachable, match="not advertised"):
        route(Known(advert("ctl", "receptor-runner"), routes=("exec1",)), "exec1")


@pytest.mark.parametrize(
    ("workers", "work_type", "hint"),
    [
        (2, None, "name one with --node: exec0, exec1"),
        (5, None, "name one with --node: exec0, exec1, exec2; list all: receptor-runner nodes"),
        (2, "receptor-runner", "name one with --node: exec0, exec1"),
        (0, None, "add a work-command to the node's receptor.yml"),
        (2, "other", "add a work-command to the node's receptor.yml"),
    ],
)
def test_a_control_node_names_the_workers(workers: int, work_type: str | None, hint: str) -> None:
    """A node without the work type, as a control node is, leads to those within reach that offer it, a few of them."""
    names = [f"exec{number}" for number in range(workers)]
    adverts = [advert(name, "receptor-runner") for name in (*names, "away")]
    with pytest.raises(Rejected) as caught:
        route(Known(advert("ctl"), *adverts, routes=tuple(names)), work_type=work_type)
    assert (caught.value.cause, caught.value.hint) == ("it offers: none", hint)
