"""What a description says of a node is in the receptor.yml that is rendered for it."""

from __future__ import annotations

import dataclasses
from pathlib import PurePath

import pytest
from receptor_runner.mesh.description import MeshDescription, MeshNode, Role
from receptor_runner.mesh.settings import Places, template_settings
from receptor_runner.receptor_config.parse import parse
from receptor_runner.receptor_config.render import render

CONTROL = MeshNode(name="control", role=Role.CONTROL, address="control.example.com", port=27199)
HOP = MeshNode(name="hop", role=Role.HOP, address="192.0.2.7", port=27199, peers=("control",))
WORKER = MeshNode(
    name="worker",
    role=Role.WORKER,
    address="w1.example.com",
    peers=("hop",),
    work_types={"uptime": "/usr/bin/uptime --pretty"},
)
MESH = MeshDescription(name="our mesh", nodes=(CONTROL, HOP, WORKER))


def rendered(mesh: MeshDescription, node: MeshNode) -> str:
    """Render a node for its own host."""
    places = Places(
        directory=PurePath("/etc/receptor"),
        datadir="/var/lib/receptor",
        socket="/run/receptor/receptor.sock",
        program="/opt/receptor-runner/bin/receptor-runner",
        listen=f"0.0.0.0:{node.port}" if node.port else "",
        peers=tuple(f"{mesh.node(peer).address}:{mesh.node(peer).port}" for peer in node.peers),
    )
    return render(node.role.value, template_settings(mesh, node, places), on_this_machine=False)


def test_worker() -> None:
    """A worker connects out, verifies work, lets only control nodes in, and offers all its work types."""
    document = parse(rendered(MESH, WORKER))

    assert document.node_id == "worker"
    assert [block.text("address") for block in document.all("tcp-peer")] == ["192.0.2.7:27199"]
    assert [block.text("publickey") for block in document.all("work-verification")] == [
        "/etc/receptor/verify.pem"
    ]
    work = {block.text("worktype"): block.text("command") for block in document.all("work-command")}
    assert work == {
        "receptor-runner": "/opt/receptor-runner/bin/receptor-runner",
        "uptime": "/usr/bin/uptime",
    }
    assert "fromnode: control" in rendered(MESH, WORKER)


def test_control_and_hop() -> None:
    """The control node signs, the hop does not; both listen, with the certificates of their own host."""
    for node in (CONTROL, HOP):
        document = parse(rendered(MESH, node))
        assert [block.text("port") for block in document.all("tcp-listener")] == ["27199"]
        assert [block.text("cert") for block in document.all("tls-server")] == ["/etc/receptor/node.crt"]
        assert any(document.all("work-signing")) == (node is CONTROL)


@pytest.mark.parametrize("node", MESH.nodes, ids=lambda node: str(node.name))
def test_plain_mesh(node: MeshNode) -> None:
    """Without TLS and signatures nothing of them is in the file."""
    plain = dataclasses.replace(MESH, tls=False, signed=False)

    text = rendered(plain, node)

    assert not any(word in text for word in ("tls", "privatekey", "publickey", "verifysignature"))
