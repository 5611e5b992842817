"""Which TLS client the local node has: from the receptor.yml that was named, or that its process was started with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from receptor_runner.errors import ConfigError, UsageError
from receptor_runner.receptor.control.protocol import Control
from receptor_runner.receptor.nodes.preflight import Route
from receptor_runner.receptor.nodes.tls import find_tls_client
from tests.harness import wait_until

ROUTE = Route(node="exec", local="ctl", work_type="w", wants_tls=True)
NOBODY = Control("/nowhere.sock")
ONE = "- node: {id: ctl}\n- tls-client: {name: mesh-client, cert: c, key: k}\n"
TWO = ONE + "- tls-client: {name: other}\n"
LISTENER = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1] + ".new")
listener.listen()
os.rename(sys.argv[1] + ".new", sys.argv[1])  # whoever sees it can connect
while True:
    connection, _ = listener.accept()
    connection.sendall(b"Receptor Control, node ctl\\n")
"""


@pytest.mark.parametrize(
    "text",
    [ONE, "node: {id: ctl}\ntls-clients:\n  - name: mesh-client\n", "- tls-client: {name: mesh-client}\n"],
    ids=["v1", "v2", "without a node"],
)
def test_the_only_one_is_taken(tmp_path: Path, text: str) -> None:
    """Both forms of the file are read; one without a node's id may be this node's."""
    path = tmp_path / "receptor.yml"
    path.write_text(text)
    assert find_tls_client(ROUTE, NOBODY, path) == "mesh-client"


@pytest.mark.parametrize(
    ("text", "found"),
    [(TWO, "several: mesh-client, other"), ("- node: {id: ctl}\n", "none")],
    ids=["several", "none"],
)
def test_nothing_is_guessed(tmp_path: Path, text: str, found: str) -> None:
    """With several, or none, the error says so and names the options."""
    path = tmp_path / "receptor.yml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        find_tls_client(ROUTE, NOBODY, path)
    assert found in str(caught.value.cause)
    assert "--tls-client" in str(caught.value.hint)
    assert "--config" in str(caught.value.hint)


def test_a_named_file_must_be_the_local_nodes(tmp_path: Path) -> None:
    """Another node's TLS clients are not this one's; a file that is not there is told as such."""
    path = tmp_path / "receptor.yml"
    with pytest.raises(ConfigError, match="cannot be read"):
        find_tls_client(ROUTE, NOBODY, path)
    path.write_text(ONE.replace("ctl", "exec"))
    with pytest.raises(ConfigError, match="belongs to node `exec`; the local node is `ctl`"):
        find_tls_client(ROUTE, NOBODY, path)


def test_where_no_file_is_found(tmp_path: Path) -> None:
    """A node whose process is not seen leaves only the two options, and the error says which."""
    with pytest.raises(UsageError, match="cannot be found") as caught:
        find_tls_client(ROUTE, NOBODY)
    assert caught.value.what == "node `exec` requires TLS, and no TLS client was named"


@pytest.fixture
def process(short_dir: Path) -> Iterator[Path]:
    """The socket of a process that was started in a directory with `--config receptor.yml`."""
    (short_dir / "listen.py").write_text(LISTENER)
    path = short_dir / "c.sock"
    words = [sys.executable, "listen.py", str(path), "--config", "receptor.yml"]
    with subprocess.Popen(words, cwd=short_dir) as listener:
        wait_until(path.exists, "it listens")
        yield path
        listener.kill()


def test_the_file_of_the_process(process: Path) -> None:
    """The daemon's own command line names its receptor.yml, relative to where it was started."""
    config = process.parent / "receptor.yml"
    with pytest.raises(UsageError, match="cannot be read"):
        find_tls_client(ROUTE, Control(str(process)))
    config.write_text(ONE.replace("ctl", "somebody"))
    with pytest.raises(UsageError, match=r"not the receptor\.yml of the local node"):
        find_tls_client(ROUTE, Control(str(process)))
    config.write_text(ONE)
    assert find_tls_client(ROUTE, Control(str(process))) == "mesh-client"
