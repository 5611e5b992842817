"""The syntax of receptor.yml: what is accepted, and how mistakes are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from receptor_runner.errors import ConfigError
from receptor_runner.node.config_file import find_change, load_blocks

if TYPE_CHECKING:
    from pathlib import Path


def _load(path: Path, text: str) -> dict[str, dict[str, object]]:
    path.write_text(text)
    return {block.name: dict(block.values) for block in load_blocks(path)}


def test_fields_are_case_insensitive(tmp_path: Path) -> None:
    """Field names may be written in any case, block names not."""
    loaded = _load(tmp_path / "c", "- work-command: {workType: a, COMMAND: b}\n")
    assert loaded == {"work-command": {"worktype": "a", "command": "b"}}
    with pytest.raises(ConfigError, match="unknown config type Work-Command"):
        _load(tmp_path / "c", "- Work-Command: {worktype: a, command: b}\n")


def test_bare_values_are_read(tmp_path: Path) -> None:
    """A block may have a bare value where the daemon allows it, or none at all."""
    loaded = _load(tmp_path / "c", "- node: n1\n- log-level: debug\n- local-only:\n- local-only\n")
    assert loaded == {"node": {"id": "n1"}, "log-level": {"level": "debug"}, "local-only": {}}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("- work-comand: {}\n", "block 1: unknown config type work-comand", "did you mean work-command?"),
        ("- node: {idd: x}\n", "block 1 (node): unknown field idd", "did you mean id?"),
        (
            "- node: {id: a}\n- tcp-peer: {address: 'b:1'}\n",
            "block 2: tcp-peer is for a mesh",
            "receptor --config",
        ),
        ("- work-signing: {privatekey: k}\n", "work-signing is for a mesh", "run the receptor daemon"),
        ("- work-kubernetes: {worktype: k}\n", "work-kubernetes is for a mesh", "run the receptor daemon"),
        ("- tls-server: {name: s}\n", "tls-server is for a mesh", "run the receptor daemon"),
        ("- node: {id: a, firewallrules: []}\n", "unknown field firewallrules", "known here"),
        ("- control-service: x\n", "a map of fields is needed", None),
        ("- work-command: {command: [a]}\n", "command must be a single value", None),
        ("- {node: {id: a}, local-only: }\n", "block 1: not a block", "each entry is one"),
        ("- 5\n", "block 1: not a block", "each entry is one"),
        ("node: {id: a}\n", "version 2 form (a map)", "the list form"),
        ("", "not a list of blocks", "start with"),
        ("- [\n", "not valid YAML", None),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str, hint: str | None) -> None:
    """Each mistake is one error with its place, and a way on where there is one."""
    path = tmp_path / "receptor.yml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        for block in load_blocks(path):
            block.text("command")
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(caught.value.lines()) <= 3
    if hint is not None:
        assert hint in str(caught.value.hint)


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    """A file that is not there, or is no text, is a configuration error."""
    with pytest.raises(ConfigError, match=r"cannot read .*nothing\.yml"):
        load_blocks(tmp_path / "nothing.yml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_blocks(tmp_path / "binary")


@pytest.mark.parametrize(
    ("written", "mode"),
    [("0660", 0o660), ("'0660'", 0o660), ("0o660", 0o660), ("'0o660'", 0o660), ("432", 0o660), ("", 0o600)],
)
def test_permissions_are_read_as_by_the_daemon(tmp_path: Path, written: str, mode: int) -> None:
    """The octal forms of the daemon mean the same here, and a bare number is decimal."""
    (tmp_path / "c").write_text(f"- control-service: {{permissions: {written}}}\n")
    assert load_blocks(tmp_path / "c")[0].permissions("permissions", 0o600) == mode


@pytest.mark.parametrize("written", ["660", "'660'", "rw", "-1", "'0999'"])
def test_senseless_permissions_are_refused(tmp_path: Path, written: str) -> None:
    """A mode that shuts the owner out, such as a forgotten leading zero, is an error."""
    (tmp_path / "c").write_text(f"- control-service: {{permissions: {written}}}\n")
    with pytest.raises(ConfigError, match="permissions"):
        load_blocks(tmp_path / "c")[0].permissions("permissions", 0o600)


def test_flags_are_yes_or_no(tmp_path: Path) -> None:
    """A flag is true or false in YAML's or the daemon's spelling, and nothing else."""
    for written, expected in {"true": True, "'true'": True, "no": False, "": False}.items():
        (tmp_path / "c").write_text(f"- work-command: {{allowruntimeparams: {written}}}\n")
        assert load_blocks(tmp_path / "c")[0].flag("allowruntimeparams") is expected
    (tmp_path / "c").write_text("- work-command: {allowruntimeparams: maybe}\n")
    with pytest.raises(ConfigError, match="must be true or false, not maybe"):
        load_blocks(tmp_path / "c")[0].flag("allowruntimeparams")


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("- node: {id: a, datadir: b}\n", "- node: {datadir: b, id: a}\n", None),
        ("- node: a\n", "- node: a\n- local-only:\n", None),
        ("- node: a\n", "- node: b\n", "'node' was modified or added"),
        ("- node: a\n- log-level: info\n", "- node: a\n", "'log-level' was removed"),
    ],
)
def test_changes_that_want_a_restart(tmp_path: Path, old: str, new: str, change: str | None) -> None:
    """Only what the daemon can reload may change without a restart."""
    for name, text in (("old", old), ("new", new)):
        (tmp_path / name).write_text(text)
    found = find_change(load_blocks(tmp_path / "old"), load_blocks(tmp_path / "new"))
    assert found is None if change is None else change in str(found)
