"""The files in `env/`: errors never show what is written there, and only regular files are read."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest
from receptor_runner.env_files import EnvFiles
from receptor_runner.errors import ConfigError, RunnerError

BROKEN = [
    ('SSH password: "hunter2SECRET\n', "line 1, column 15: found unexpected end of stream"),
    ("ok: 1\nx: @SECRET\n", "line 2, column 4"),
    ("x: !SECRET\n", "line 1, column 4"),
    ("x: SECRET: foo\n", "line 1, column 10: mapping values are not allowed here"),
    ("x: [a, SECRET", "line 1, column 4: expected ',' or ']', but got '<stream end>'"),
    ("x: \tSECRET\n", "line 1, column 4"),
    ("x: *SECRET\n", "line 1, column 4"),
    ('x: "\\SECRET"\n', "line 1, column 6"),
    ("ok: 1\nx: \0SECRET", "line 2, column 4: special characters are not allowed"),
    ("{{SECRET}}: a\n", "line 1, column 1: found unhashable key"),
    ("%SECRET\n", "line "),
    ("x: !!int SECRET\n", ""),
    ("x: !!float SECRET\n", ""),
    ("x: !!bool SECRET\n", ""),
    ("x: !!timestamp SECRET\n", ""),
    ("x: !!binary \u00e9SECRET\n", ""),
    ("x: 2024-99-99 # SECRET\n", ""),
    ("[" * 100_000 + "SECRET", ""),
]


def said(error: RunnerError) -> str:
    """Return all that anybody prints of an error: its lines, and with `--debug` where it comes from."""
    return "".join(traceback.format_exception(error)) + " ".join(error.lines())


@pytest.mark.parametrize(("text", "cause"), BROKEN, ids=range(len(BROKEN)))
def test_an_error_never_shows_what_is_written(tmp_path: Path, text: str, cause: str) -> None:
    """Wherever a file is wrong, the error names it as the caller knows it, and the place, and nothing that is there."""
    (tmp_path / "env").mkdir()
    (tmp_path / "env/passwords").write_text(text)
    with pytest.raises(ConfigError) as caught:
        EnvFiles(root=tmp_path).mapping("env/passwords")
    assert caught.value.what == "env/passwords is neither JSON nor YAML"
    assert (caught.value.cause or "").startswith(cause)
    assert "SECRET" not in said(caught.value)
    assert str(tmp_path) not in " ".join(caught.value.lines())


@pytest.mark.parametrize("text", ["x: @SECRET", "x: 'SECRET", "- SECRET", "SECRET"])
def test_variables_for_ansible_are_checked_in_the_same_way(tmp_path: Path, text: str) -> None:
    """Ansible would print the lines that it cannot read: such a file does not get to it."""
    (tmp_path / "env").mkdir()
    (tmp_path / "env/extravars").write_text(text)
    with pytest.raises(ConfigError, match="env/extravars is") as caught:
        EnvFiles(root=tmp_path).variables("env/extravars")
    assert "SECRET" not in said(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "x: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3031\n",
        "$ANSIBLE_VAULT;1.1;AES256\n3031\n3233\n",
        "x: !unsafe '{{ y }}'\nx: twice\n",
        '{"x": 1}',
        "# none\n",
        "",
    ],
)
def test_variables_that_ansible_can_read_are_left_to_it(tmp_path: Path, text: str) -> None:
    """Tags, encrypted files and empty ones are Ansible's own."""
    (tmp_path / "env").mkdir()
    path = tmp_path / "env/extravars"
    path.write_text(text)
    assert EnvFiles(root=tmp_path).variables("env/extravars") == path


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """A FIFO counts as absent, and nobody waits for its writer; a link to a file counts as the file."""
    (tmp_path / "env").mkdir()
    os.mkfifo(tmp_path / "env/settings")
    (tmp_path / "real").write_text("a: 1")
    (tmp_path / "env/envvars").symlink_to("../real")
    files = EnvFiles(root=tmp_path)
    assert files.settings({"b": 2}) == {"b": 2}
    assert files.mapping("env/envvars") == {"a": 1}
