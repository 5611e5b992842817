"""What is asked of the mesh: chosen, or found from what the target advertises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from receptor_runner.errors import Rejected, UsageError
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.control.unit import WorkOrder
from receptor_runner.receptor.jobs.work_order import DEFAULT_TTL, work_order
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.preflight import Route

CONFIG = "- node: {id: ctl}\n- tls-client: {name: mesh-client}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The receptor.yml of the local node, with one TLS client."""
    path = tmp_path / "receptor.yml"
    path.write_text(CONFIG)
    return path


def order(
    node: str = "exec", *, signs: bool | None = False, tls: bool | None = False, **chosen: Any
) -> WorkOrder:
    """Return the order for a job on a node with these demands; nobody is asked."""
    route = Route(node=node, local="ctl", work_type="w", wants_signature=signs, wants_tls=tls)
    return work_order(Destination(**chosen), route, Control("/nowhere.sock"))


def test_a_local_job_wants_nothing_of_the_mesh() -> None:
    """On the local node itself neither signature nor TLS nor ttl mean anything."""
    local = order("ctl", signs=True, tls=True, sign=True, tls_client="x", ttl="5s", params="--a")
    assert local == WorkOrder(work_type="w", params="--a")


@pytest.mark.parametrize(
    ("advertised", "chosen", "signed"),
    [
        (True, None, True),
        (False, None, False),
        (None, None, False),
        (True, True, True),
        (False, False, False),
        (None, True, True),
        (None, False, False),
    ],
)
def test_the_signature(advertised: bool | None, chosen: bool | None, signed: bool) -> None:
    """It follows the advertisement unless it was chosen; where nothing is known, the choice counts."""
    assert order(signs=advertised, sign=chosen).sign is signed


@pytest.mark.parametrize(("advertised", "word"), [(True, "--no-signwork"), (False, "--signwork")])
def test_a_contradicted_signature(advertised: bool, word: str) -> None:
    """A choice against the advertisement is refused before anything is uploaded."""
    with pytest.raises(Rejected) as caught:
        order(signs=advertised, sign=not advertised)
    assert word in str(caught.value.cause)
    assert "--no-preflight" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("advertised", "chosen", "used"),
    [
        (True, None, "mesh-client"),
        (True, "mine", "mine"),
        (False, None, None),
        (False, "", None),
        (None, None, None),
        (None, "mine", "mine"),
        (None, "", None),
    ],
)
def test_the_tls_client(config: Path, advertised: bool | None, chosen: str | None, used: str | None) -> None:
    """It is looked up where the target wants TLS and none was chosen."""
    assert order(tls=advertised, tls_client=chosen, config=config).tls_client == used


@pytest.mark.parametrize(("advertised", "chosen"), [(True, ""), (False, "mine")])
def test_a_contradicted_tls_client(advertised: bool, chosen: str) -> None:
    """TLS where none is spoken, or none where it is demanded, is refused before anything is uploaded."""
    with pytest.raises(Rejected, match="advertises so"):
        order(tls=advertised, tls_client=chosen)


def test_a_start_is_never_awaited_for_ever() -> None:
    """Without a ttl the daemon would try without end."""
    assert order().ttl == DEFAULT_TTL
    assert order(ttl="1h30m").ttl == "1h30m"


@pytest.mark.parametrize("ttl", ["10", "ten", "5x", "-5s", "5 s", "1h30"])
def test_an_invalid_ttl(ttl: str) -> None:
    """The daemon would leave a unit behind, so an invalid ttl is refused before it is asked."""
    with pytest.raises(UsageError, match="invalid --ttl"):
        order(ttl=ttl)
