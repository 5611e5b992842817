"""Draws a mesh as SVG: a column for each distance from the control nodes, an arrow for each link."""

from __future__ import annotations

import html
import importlib.util
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from receptor_runner.errors import MissingInput
from receptor_runner.mesh.description import Role
from receptor_runner.mesh.graph import spanning_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    import svg

    from receptor_runner.mesh.description import MeshDescription, MeshNode

_HEIGHT, _GAP, _COLUMN_GAP, _MARGIN, _TITLE = 46, 22, 90, 24, 44
_LEAST_WIDTH, _PER_CHARACTER, _PADDING = 120, 7.3, 24
_FILLS = {Role.CONTROL: "#cfe3ff", Role.HOP: "#eeeeee", Role.WORKER: "#d5f2d8"}
_INK, _PALE_INK, _LINE = "#1c1c1c", "#555555", "#777777"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    """The place of a node, in pixels from the upper left."""

    column: int
    x: float
    y: float
    width: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def middle(self) -> float:
        return self.y + _HEIGHT / 2


def graph_svg(description: MeshDescription) -> str:
    """Return the mesh as an SVG image.

    Args:
        description: the mesh.

    Raises:
        MissingInput: the package that writes SVG is not installed.
    """
    if importlib.util.find_spec("svg") is None:
        raise MissingInput(
            "cannot draw an SVG image",
            cause="the package svg.py is not installed",
            hint="pip install 'receptor-runner[svg]'",
        )
    import svg

    boxes = _place(description)
    width = max((box.right for box in boxes.values()), default=0) + _MARGIN
    height = max((box.y for box in boxes.values()), default=0) + _HEIGHT + _MARGIN
    image = svg.SVG(
        viewBox=svg.ViewBoxSpec(0, 0, width, height),
        width=width,
        height=height,
        elements=[
            _arrow_head(),
            svg.Rect(width=width, height=height, fill="white"),
            _text(description.name, _MARGIN, _MARGIN + 6, size=16, fill=_INK),
            *(_link(boxes[node.name], boxes[peer]) for node in description.nodes for peer in node.peers),
            *(element for node in description.nodes for element in _node(node, boxes[node.name])),
        ],
    )
    return f"{image}\n"


def _place(description: MeshDescription) -> dict[str, _Box]:
    """Return where each node stands: its column is its distance, and children stand beside their parent."""
    boxes: dict[str, _Box] = {}
    x = float(_MARGIN)
    for number, column in enumerate(_columns(description)):
        width = max(_width(node) for node in column)
        for row, node in enumerate(column):
            y = _TITLE + row * (_HEIGHT + _GAP)
            boxes[node.name] = _Box(column=number, x=x, y=y, width=width)
        x += width + _COLUMN_GAP
    return boxes


def _columns(description: MeshDescription) -> list[list[MeshNode]]:
    parents = spanning_tree(description)
    depths: dict[str, int] = {}
    # A spanning tree lists parents before their children; whoever is not in it is a root.
    for node in description.nodes:
        if node.name not in parents:
            depths[node.name] = 0
    for name, parent in parents.items():
        depths[name] = depths[parent] + 1
    columns: list[list[MeshNode]] = [[] for _ in range(max(depths.values(), default=-1) + 1)]
    for node in description.nodes:
        columns[depths[node.name]].append(node)
    for left, right in itertools.pairwise(columns):
        order = {node.name: position for position, node in enumerate(left)}
        right.sort(key=lambda node: order[parents[node.name]])
    return columns


def _width(node: MeshNode) -> float:
    longest = max(len(node.name), len(_subtitle(node)))
    return max(_LEAST_WIDTH, longest * _PER_CHARACTER + _PADDING)


def _subtitle(node: MeshNode) -> str:
    return f"{node.role.value}  {node.endpoint if node.port else node.address}"


def _node(node: MeshNode, box: _Box) -> Iterator[svg.Element]:
    import svg

    yield svg.Rect(
        x=box.x, y=box.y, width=box.width, height=_HEIGHT, rx=6, fill=_FILLS[node.role], stroke=_LINE
    )
    yield _text(node.name, box.x + 12, box.y + 19, size=14, fill=_INK)
    yield _text(_subtitle(node), box.x + 12, box.y + 36, size=11, fill=_PALE_INK)


def _text(text: str, x: float, y: float, *, size: int, fill: str) -> svg.Text:
    import svg

    # The library writes the text as it is.
    return svg.Text(text=html.escape(text), x=x, y=y, font_size=size, font_family="sans-serif", fill=fill)


def _link(start: _Box, end: _Box) -> svg.Path:
    """Return the arrow from the node that connects to the one that listens."""
    import svg

    if start.column == end.column:  # around the right side of the column
        bend = start.right + _COLUMN_GAP / 2
        points = (start.right, start.middle, bend, start.middle, bend, end.middle, end.right, end.middle)
    else:
        first, last = (start.x, end.right) if start.column > end.column else (start.right, end.x)
        half = (first + last) / 2
        points = (first, start.middle, half, start.middle, half, end.middle, last, end.middle)
    return svg.Path(
        d=[svg.M(*points[:2]), svg.C(*points[2:])], fill="none", stroke=_LINE, marker_end="url(#arrow)"
    )


def _arrow_head() -> svg.Defs:
    import svg

    tip = svg.Path(d=[svg.M(0, 0), svg.L(8, 4), svg.L(0, 8), svg.Z()], fill=_LINE)
    marker = svg.Marker(
        id="arrow",
        viewBox=svg.ViewBoxSpec(0, 0, 8, 8),
        refX=8,
        refY=4,
        markerWidth=8,
        markerHeight=8,
        orient="auto",
        elements=[tip],
    )
    return svg.Defs(elements=[marker])
