"""`receptor-runner config`: data on stdout, talk on stderr, exit codes that scripts can use."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from receptor_runner.cli import main

GOOD = "- node:\n    id: n1\n    datadir: /var/lib/x\n- local-only:\n"


def test_list_shows_templates_and_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """The list names each template, each setting and its default."""
    assert main(["config", "list"]) == 0

    out = capsys.readouterr().out
    assert "worker: A node that runs jobs for others" in out
    assert "    permissions=0600\n" in out


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The list is one JSON object for programs."""
    assert main(["config", "list", "--json"]) == 0

    templates = json.loads(capsys.readouterr().out)["templates"]
    assert [template["name"] for template in templates] == ["local", "control", "worker", "hop"]


@pytest.mark.parametrize(("form", "kind"), [("v1", list), ("v2", dict)])
def test_render_to_stdout(capsys: pytest.CaptureFixture[str], form: str, kind: type) -> None:
    """Stdout holds the config and nothing else."""
    assert main(["config", "render", "local", "--set", "id=n1", "--format", form]) == 0

    captured = capsys.readouterr()
    assert isinstance(yaml.safe_load(captured.out), kind)
    assert captured.err == ""


@pytest.mark.parametrize(("name", "mode"), [("local", 0o600), ("hop", 0o644)])
def test_render_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, mode: int) -> None:
    """A file is written whole; a local one is its owner's, a mesh node's may be another user's."""
    path = tmp_path / "receptor.yml"

    assert main(["config", "render", name, "-o", str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert yaml.safe_load(path.read_text())
    assert capsys.readouterr() == ("", f"wrote {path}\n")
    assert list(tmp_path.iterdir()) == [path]


def test_render_replaces_nothing_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is there stays as it is, unless --force says otherwise."""
    path = tmp_path / "receptor.yml"
    path.write_text("mine\n")

    assert main(["config", "render", "local", "-o", str(path)]) == 74
    assert path.read_text() == "mine\n"
    assert "--force" in capsys.readouterr().err
    assert main(["config", "render", "local", "-o", str(path), "--force"]) == 0
    assert path.read_text() != "mine\n"


def test_render_where_nothing_can_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory that is not there is an IO error of at most three lines."""
    assert main(["config", "render", "local", "-o", str(tmp_path / "no" / "x.yml")]) == 74
    assert len(capsys.readouterr().err.splitlines()) <= 3


@pytest.mark.parametrize(
    "words", [["locl"], ["local", "--set", "id"], ["local", "--set", "=x"], ["local", "--set", "sockt=/x"]]
)
def test_render_of_nonsense(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown template or setting is a usage error with a way on."""
    assert main(["config", "render", *words]) == 64
    assert "hint:" in capsys.readouterr().err


def test_render_of_an_unusable_config(capsys: pytest.CaptureFixture[str]) -> None:
    """Settings that the daemon would refuse give no file but exit 78."""
    assert main(["config", "render", "local", "--set", "id=localhost"]) == 78
    assert capsys.readouterr().out == ""


def test_check_of_a_good_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to say is exit 0 and an empty stdout."""
    path = tmp_path / "receptor.yml"
    path.write_text(GOOD)

    assert main(["config", "check", str(path)]) == 0
    assert capsys.readouterr() == ("", "0 errors, 0 warnings, 0 notes\n")


def test_check_shows_findings_with_their_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A finding is one line that editors can jump to, with its hint below; errors exit 78."""
    path = tmp_path / "receptor.yml"
    path.write_text(GOOD + "- log-levl: info\n")

    assert main(["config", "check", str(path)]) == 78
    captured = capsys.readouterr()
    assert captured.out == (
        f"{path}:5: error: unknown block 'log-levl' [unknown-block]\n    did you mean log-level?\n"
    )
    assert captured.err == "1 error, 0 warnings, 0 notes\n"


def test_warnings_do_not_fail(tmp_path: Path) -> None:
    """A trap is shown, but a script may go on."""
    path = tmp_path / "receptor.yml"
    path.write_text(GOOD.replace("/var/lib/x", "/tmp/x"))

    assert main(["config", "check", str(path)]) == 0


def test_check_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The findings of all files are one JSON object."""
    paths = [tmp_path / "a.yml", tmp_path / "b.yml"]
    paths[0].write_text(GOOD)
    paths[1].write_text("- local-only:\n- nod: {}\n")

    assert main(["config", "check", "--json", *map(str, paths)]) == 78
    said = json.loads(capsys.readouterr().out)
    assert (said["errors"], said["warnings"], said["notes"]) == (1, 0, 0)
    assert said["findings"] == [
        {
            "file": str(paths[1]),
            "line": 2,
            "severity": "error",
            "code": "unknown-block",
            "message": "unknown block 'nod'",
            "hint": "did you mean node?",
        }
    ]


def test_check_elsewhere(tmp_path: Path) -> None:
    """A file for another machine is not judged by this one's files."""
    path = tmp_path / "receptor.yml"
    path.write_text(GOOD + "- control-service: {filename: /nowhere/c.sock}\n")

    assert main(["config", "check", str(path)]) == 78
    assert main(["config", "check", "--elsewhere", str(path)]) == 0


def test_check_of_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there is missing input, whatever is wrong with the others, and JSON stays JSON."""
    path, none = tmp_path / "receptor.yml", tmp_path / "none.yml"
    path.write_text(GOOD + "- log-levl: info\n")

    assert main(["config", "check", str(none)]) == 66
    assert capsys.readouterr() == (
        f"{none}:1: error: cannot read this file: No such file or directory [unreadable]\n",
        "1 error, 0 warnings, 0 notes\n",
    )
    assert main(["config", "check", "--json", str(none), str(path)]) == 66
    said = json.loads(capsys.readouterr().out)
    assert [finding["code"] for finding in said["findings"]] == ["unreadable", "unknown-block"]


def test_check_says_nothing_beside_its_findings(tmp_path: Path) -> None:
    """A pattern that only Go knows makes no warning of Python's, not even with all of them switched on."""
    path = tmp_path / "receptor.yml"
    rules = "firewallrules: [{action: reject, fromnode: '/[[:alpha:]]+/'}]"
    path.write_text(f"- node: {{id: n1, datadir: /var/lib/x, {rules}}}\n- local-only:\n")
    command = [sys.executable, "-W", "default", "-m", "receptor_runner", "config", "check", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "0 errors, 0 warnings, 0 notes\n")


@pytest.mark.parametrize("words", [[], ["list"], ["render"], ["check"]])
def test_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every command explains itself."""
    assert main(["config", *words, "--help"]) == 0
    assert "Usage:" in capsys.readouterr().out
