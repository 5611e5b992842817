"""The real daemon agrees with the linter: what cannot be started is refused, what is a trap is taken silently."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from receptor_runner.receptor_config.findings import Severity
from receptor_runner.receptor_config.linter import check_text, count
from receptor_runner.receptor_config.parse import parse

pytestmark = pytest.mark.receptor

HERE = Path(__file__).parent
FILES = sorted([*(HERE / "broken").glob("*.yml"), *(HERE / "sound").glob("*.yml")])
LOUD = {"v1": "- log-level: info\n", "v2": "log-level:\n  level: info\n"}
SERVES = "Initialization complete"


def header(path: Path) -> list[str]:
    """Return the form of a file and what the daemon does with it, from its first line."""
    return path.read_text().split(maxsplit=3)[1:3]


def files(fate: str) -> list[Path]:
    """Return the files of one fate; those marked unsaid are not for a daemon to see."""
    return [path for path in FILES if header(path)[1] == fate]


@contextmanager
def started(receptor_bin: str, form: str, text: str, tmp_path: Path) -> Iterator[bool]:
    """Run the daemon with a text; give whether it serves as soon as it does, or ends."""
    config = tmp_path / "receptor.yml"
    config.write_text(text if "log-level" in text else text + LOUD[form])
    options = ["--config-v2"] if form == "v2" else []
    with subprocess.Popen(
        [receptor_bin, *options, "--config", str(config)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield any(SERVES in line for line in process.stdout)
        finally:
            process.kill()


def serves(receptor_bin: str, path: Path, text: str, tmp_path: Path) -> bool:
    """Start the daemon with the text of a file; return whether it serves."""
    with started(receptor_bin, header(path)[0], text, tmp_path) as serving:
        return serving


@pytest.mark.parametrize("path", files("refused"), ids=lambda path: path.stem)
def test_daemon_refuses(path: Path, fill: Callable[[Path], str], receptor_bin: str, tmp_path: Path) -> None:
    """A file that is marked as refused does not get the daemon to serve."""
    assert not serves(receptor_bin, path, fill(path), tmp_path)


@pytest.mark.parametrize("path", files("accepted"), ids=lambda path: path.stem)
def test_daemon_accepts(path: Path, fill: Callable[[Path], str], receptor_bin: str, tmp_path: Path) -> None:
    """A file that is marked as accepted is sound, or holds a trap that the daemon does not see."""
    assert serves(receptor_bin, path, fill(path), tmp_path)


@pytest.mark.parametrize("kind", ["control-service", "unix-socket-server"])
def test_daemon_deletes_what_has_the_sockets_name(
    kind: str, receptor_bin: str, short_dir: Path, tmp_path: Path
) -> None:
    """The daemon puts its socket in the place of a directory and all it holds, which is found before."""
    taken = short_dir / "units"
    (taken / "precious").mkdir(parents=True)
    proxy = ", remotenode: n2, remoteservice: web" if kind == "unix-socket-server" else ""
    text = (
        f"- node: {{id: n1, datadir: {short_dir}/data}}\n- local-only:\n"
        f"- {kind}: {{filename: {taken}{proxy}}}\n"
    )
    before = [finding.code for finding in check_text(text)]

    with started(receptor_bin, "v1", text, tmp_path) as serving:
        assert serving
        assert taken.is_socket()
    assert "socket-not-a-socket" in before


@pytest.mark.parametrize(
    ("command", "params", "words"),
    [
        ("/bin/echo", "worker 'x", "closing quote"),
        ("/bin/echo", "worker \\", "escape character"),
        ("/bin/echo", "worker # it's", ""),
        ("/bin/echo", "a#b \"it's\" it\\'s", ""),
        ("", "", "no command"),
        ("/etc", "", "permission denied"),
    ],
)
def test_jobs_fail_as_it_is_told(
    command: str, params: str, words: str, receptor_bin: str, short_dir: Path, tmp_path: Path
) -> None:
    """A work-command with an error is one whose jobs fail, and the other way round."""
    work = json.dumps({"worktype": "a", "command": command, "params": params})
    text = (
        f"- node: {{id: n1, datadir: {short_dir}/data}}\n- local-only:\n- work-command: {work}\n"
        f"- control-service: {{filename: {short_dir}/c.sock}}\n"
    )

    with started(receptor_bin, "v1", text, tmp_path) as serving:
        assert serving
        said = subprocess.run(
            [
                str(Path(sys.executable).parent / "receptorctl"),
                *("--socket", f"{short_dir}/c.sock", "work", "submit", "a", "--no-payload", "-f", "--rm"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    assert words in said.stdout + said.stderr
    assert bool(words) == bool(said.returncode) == bool(count(check_text(text))[Severity.ERROR])


@pytest.mark.parametrize(
    ("form", "node", "node_id"),
    [
        ("v1", "{<<: {id: merged}, id: own}", "own"),
        ("v1", "{id: own, <<: {id: merged}}", "merged"),
        ("v1", "{<<: [{id: first}, {id: second}]}", "first"),
        ("v1", "{id: first, id: last}", "last"),
        ("v1", "{id: 007}", "7"),
        ("v1", "{id: 1e3}", "1000.000000"),
        ("v1", "{id: yes}", "true"),
        ("v1", "{id: 'yes'}", "yes"),
        ("v1", "{id: !!str 007}", "007"),
        ("v2", "{<<: {id: merged}, id: own}", "own"),
        ("v2", "{id: own, <<: {id: merged}}", "own"),
        ("v2", "{<<: [{id: first}, {id: second}]}", "first"),
        ("v2", "{id: 007}", "7"),
        ("v2", "{id: 1e3}", "1000"),
        ("v2", "{id: yes}", "yes"),
        ("v2", "{id: true}", "1"),
    ],
)
def test_values_are_read_like_the_daemon_does(
    form: str, node: str, node_id: str, receptor_bin: str, short_dir: Path, tmp_path: Path
) -> None:
    """Merge keys, repeated keys and numbers have the effect that they have in the daemon."""
    node = node.replace("{", f"{{datadir: {short_dir}/data, ", 1)
    socket = f"{{filename: {short_dir}/c.sock}}"
    text = {
        "v1": f"- node: {node}\n- local-only:\n- control-service: {socket}\n",
        "v2": f"node: {node}\nlocal-only: {{local: true}}\ncontrol-services: [{{service: control, {socket[1:]}]\n",
    }[form]

    with started(receptor_bin, form, text, tmp_path) as serving:
        assert serving
        said = subprocess.run(
            [str(Path(sys.executable).parent / "receptorctl"), "--socket", f"{short_dir}/c.sock", "status"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert f"Node ID: {node_id}\n" in said.stdout
    assert parse(text).node_id == node_id
