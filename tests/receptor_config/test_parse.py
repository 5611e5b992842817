"""Reading a receptor.yml: both forms, bare values, case, lines, and YAML that means harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receptor_runner.receptor_config.document import Document, Items, Scalar, Table
from receptor_runner.receptor_config.linter import check_text
from receptor_runner.receptor_config.parse import parse


def kinds(document: Document) -> list[tuple[str, int]]:
    """Return the blocks' names and lines."""
    return [(block.kind.name, block.line) for block in document.blocks]


def test_v1_list() -> None:
    """A list is v1: every item a block, with its line."""
    document = parse("---\n- node:\n    id: n1\n\n- local-only\n- log-level: debug\n")

    assert (document.version, document.node_id) == (1, "n1")
    assert kinds(document) == [("node", 2), ("local-only", 5), ("log-level", 6)]
    assert document.blocks[2].text("level") == "debug"


def test_v2_map() -> None:
    """A map is v2: plural keys hold several blocks, or one; names have no case."""
    document = parse(
        "version: 2\nNode:\n  ID: n1\ntcp-peers:\n  - address: a:1\n  - address: b:1\nwork-commands:\n  workType: x\n"
    )

    assert (document.version, document.node_id, document.findings) == (2, "n1", ())
    assert kinds(document) == [("node", 2), ("tcp-peer", 5), ("tcp-peer", 6), ("work-command", 7)]
    assert document.blocks[3].text("worktype") == "x"


def test_values_keep_how_they_are_written() -> None:
    """Quotes and lines are kept, for the meaning of a mode or a boolean depends on them."""
    [block] = parse("- control-service:\n    permissions: '0660'\n    filename:\n").blocks
    permissions, filename = (entry.value for entry in block.entries)

    assert permissions == Scalar(text="0660", quoted=True, line=2)
    assert isinstance(filename, Scalar)
    assert filename.is_null
    assert block.scalar("filename") is None


def test_nested_values() -> None:
    """Lists and maps below a key are kept as such."""
    [block] = parse("- node:\n    firewallrules:\n      - {action: accept}\n").blocks
    rules = block.entries[0].value

    assert isinstance(rules, Items)
    assert isinstance(rules.values[0], Table)
    assert rules.values[0].entries[0].name == "action"


def test_anchors_and_merges_are_followed() -> None:
    """What YAML lets one write once and use twice is read in both places."""
    document = parse(
        "- tcp-peer: &one\n    address: a:1\n    cost: 2\n- tcp-peer:\n    <<: *one\n    address: b:1\n"
    )

    assert [block.text("cost") for block in document.all("tcp-peer")] == ["2", "2"]
    assert [block.text("address") for block in document.all("tcp-peer")] == ["a:1", "b:1"]


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\n",
        "- node: &n {id: *n}\n",
        "- &a [*a]\n",
        "[" * 800,
        "- ? {a: b}\n  : c\n",
        "- *a\n",
        "- node: {<<: 5}\n",
        "- node: {<<: [*a]}\n",
        "- node: \ud800\n",
        "\x00",
        "%YAML 9.9\n---\n",
    ],
)
def test_hostile_yaml_is_a_finding(text: str) -> None:
    """YAML that loops, nests without end or is none gets a finding, not an exception."""
    assert check_text(text, on_this_machine=False)


def test_aliases_of_aliases_do_not_blow_up() -> None:
    """A few lines of aliases that stand for billions of values are read at once."""
    lines = ["- node: &a0 {id: n1}", *(f"- x: &a{n} [{f'*a{n - 1},' * 9}]" for n in range(1, 40))]

    assert parse("\n".join(lines)).node_id == "n1"


def test_an_anchor_may_be_used_again() -> None:
    """As for the daemon, an alias means the last anchor of its name above it."""
    document = parse(
        "- tcp-peer: {address: &a x:1}\n- tcp-peer: {address: &a y:1}\n- tcp-peer: {address: *a}\n"
    )

    assert [block.text("address") for block in document.all("tcp-peer")] == ["x:1", "y:1", "y:1"]


@given(st.text(alphabet="ab:-{}[]&*<!|>'\" \n#?,1", max_size=40))
def test_any_text_is_read(text: str) -> None:
    """No text makes the linter fail."""
    check_text(f"- node: {text}\n", on_this_machine=False)
    check_text(text, on_this_machine=False)
