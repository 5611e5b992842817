"""Drawing a mesh: every node once, every link shown, as text and as an image."""

from __future__ import annotations

import importlib.util
from xml.etree import ElementTree

import pytest
from receptor_runner.errors import MissingInput
from receptor_runner.mesh.description import MeshDescription
from receptor_runner.mesh.drawing import graph_svg
from receptor_runner.mesh.graph import graph_text
from receptor_runner.mesh.reading import read_mesh

RING = """\
name: a <ring> & more
nodes:
  control: {role: control, address: control.example.com}
  hop1: {role: hop, address: 192.0.2.7, peers: [control]}
  hop2: {role: hop, address: "2001:db8::1", peers: [hop1, control]}
  w1: {role: worker, port: 5000, address: w1.example.com, peers: [hop1]}
  w2: {role: worker, address: w2.example.com, peers: [hop2]}
  c2: {role: control, address: c2.example.com, peers: [w1]}
"""
TREE = """\
control  control  control.example.com:27199
├── hop1  hop  192.0.2.7:27199  → control
│   └── w1  worker  w1.example.com:5000  → hop1
│       └── c2  control  c2.example.com  → w1
└── hop2  hop  [2001:db8::1]:27199  → control  (also linked to hop1)
    └── w2  worker  w2.example.com  → hop2
"""
SVG = "{http://www.w3.org/2000/svg}"


def described(text: str) -> MeshDescription:
    """Return the mesh of a text, whatever its findings."""
    description = read_mesh(text).description
    assert description
    return description


def test_text_is_a_tree() -> None:
    """Each node stands below the one that leads to it, and links that close a circle are named."""
    assert graph_text(described(RING)) == TREE


def test_lines_fit_the_terminal() -> None:
    """What is too long for a line ends in an ellipsis; the tree stays whole."""
    lines = graph_text(described(RING), width=40).splitlines()

    assert max(map(len, lines)) == 40
    assert lines[1] == "├── hop1  hop  192.0.2.7:27199  → control"[:39] + "…"
    assert len(lines) == len(TREE.splitlines())


def test_arrow_shows_who_connects() -> None:
    """A control node that opens the connection to a hop is told from one that waits for it."""
    text = "nodes:\n  c: {role: control, peers: [h]}\n  h: {role: hop}\n"

    assert graph_text(described(text)).splitlines()[1] == "└── h  hop  h:27199  ← c"


def test_nodes_apart_are_drawn_too() -> None:
    """What no control node reaches has a tree of its own."""
    text = "nodes:\n  h: {role: hop}\n  w: {role: worker, peers: [h]}\n  c: {role: control}\n"

    assert graph_text(described(text)).splitlines() == [
        "h  hop  h:27199",
        "└── w  worker  w  → h",
        "c  control  c",
    ]


def test_image_shows_every_node_and_link() -> None:
    """The image is well-formed, with a box and two texts for each node, an arrow for each link, and the mesh's name."""
    description = described(RING)
    image = ElementTree.fromstring(graph_svg(description))
    texts = [text.text for text in image.iter(f"{SVG}text")]
    arrows = [path for path in image.iter(f"{SVG}path") if path.get("marker-end")]

    assert texts[0] == "a <ring> & more"
    assert {node.name for node in description.nodes} <= set(texts)
    assert "hop  [2001:db8::1]:27199" in texts
    assert len(arrows) == sum(len(node.peers) for node in description.nodes)
    assert len(list(image.iter(f"{SVG}rect"))) == len(description.nodes) + 1


def test_boxes_do_not_overlap() -> None:
    """No two nodes are drawn on each other, and all are inside of the image."""
    image = ElementTree.fromstring(graph_svg(described(RING)))
    rects = [
        tuple(float(rect.get(key, 0)) for key in ("x", "y", "width", "height"))
        for rect in image.iter(f"{SVG}rect")
    ]
    (_, _, width, height), *boxes = rects

    for number, (x, y, w, h) in enumerate(boxes):
        assert x >= 0
        assert x + w <= width
        assert y + h <= height
        for x2, y2, w2, h2 in boxes[number + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the error says what to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    with pytest.raises(MissingInput) as caught:
        graph_svg(described(RING))
    assert caught.value.hint == "pip install 'receptor-runner[svg]'"
