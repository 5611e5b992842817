"""The command that installs a mesh, and the words that `mesh install` makes of its options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from receptor_runner._version import __version__
from receptor_runner.errors import MissingInput, UsageError
from receptor_runner.mesh.install.command import PLAYBOOK, Installation, install_command
from tests.harness import BIN, CommandLine, Commands

DESCRIPTION = """
name: tests
tls: false
signed: false
nodes:
  control: {role: control, address: 127.0.0.1, port: 27199}
  worker: {role: worker, address: 127.0.0.1, peers: [control]}
"""


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """A directory with a mesh.yml, which is the working directory of commands."""
    (tmp_path / "mesh.yml").write_text(DESCRIPTION)
    return tmp_path


def variables(installation: Installation) -> dict[str, str]:
    """Return the variables that the playbook gets."""
    words = install_command(installation)
    found: dict[str, str] = json.loads(words[words.index("--extra-vars") + 1])
    return found


def test_the_playbook_runs_with_the_inventory_and_the_callers_options_last() -> None:
    """ansible-playbook of this installation gets the rendered inventory; the caller's variables override ours."""
    words = install_command(
        Installation(inventory=Path("out/inventory.yml"), options=("-e", "receptor_user=me"))
    )
    assert words[:4] == [str(BIN / "ansible-playbook"), "--inventory", "out/inventory.yml", str(PLAYBOOK)]
    assert words[-2:] == ["-e", "receptor_user=me"]


def test_by_default_the_hosts_get_this_version() -> None:
    """Hosts and this machine have the same version, unless another one is named."""
    found = variables(Installation(inventory=Path("i")))
    assert found == {"receptor_runner_package": f"receptor-runner=={__version__}"}


def test_files_of_this_machine_are_named_by_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ansible looks for relative paths beside the playbook, which is not where the caller is."""
    monkeypatch.chdir(tmp_path)
    for name in ("receptor", "r.whl"):
        Path(name).touch()
    found = variables(Installation(inventory=Path("i"), receptor=Path("receptor"), package="r.whl"))
    assert found == {
        "receptor_local_binary": f"{tmp_path}/receptor",
        "receptor_local_architecture": "",
        "receptor_runner_wheel": f"{tmp_path}/r.whl",
    }


@pytest.mark.parametrize(
    ("header", "architecture"),
    [
        (b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\x00", "x86_64"),
        (b"\x7fELF\x02\x01" + bytes(12) + b"\xb7\x00", "aarch64"),
        (b"\x7fELF\x02\x02" + bytes(12) + b"\x00\x16", "s390x"),
        (b"\x7fELF\x02\x01" + bytes(12) + b"\xff\xff", ""),
        (b"\x7fELF", ""),
        (b'#!/bin/sh\nexec receptor "$@"\n', ""),
    ],
)
def test_the_architecture_of_the_daemon_is_read_from_its_file(
    tmp_path: Path, header: bytes, architecture: str
) -> None:
    """The hosts can refuse a daemon for another processor before anything is changed."""
    (tmp_path / "receptor").write_bytes(header)
    found = variables(Installation(inventory=Path("i"), receptor=tmp_path / "receptor"))
    assert found["receptor_local_architecture"] == architecture


@pytest.mark.parametrize(
    "package",
    ["receptor-runner[tls]>=1", "receptor-runner @ https://example.com/receptor_runner-1-py3-none-any.whl"],
)
def test_a_requirement_is_left_to_pip(package: str) -> None:
    """What is no file here is given to pip as it is."""
    found = variables(Installation(inventory=Path("i"), receptor_package="receptor", package=package))
    assert found == {"receptor_package": "receptor", "receptor_runner_package": package}


def test_what_cannot_be_installed_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """A missing file, a directory, and two origins of the daemon are errors."""
    inventory = Path("i")
    with pytest.raises(MissingInput, match=r"nope\.whl"):
        install_command(Installation(inventory=inventory, package="nope.whl"))
    with pytest.raises(MissingInput, match="nope"):
        install_command(Installation(inventory=inventory, receptor=Path("nope")))
    with pytest.raises(UsageError, match="is a directory"):
        install_command(Installation(inventory=inventory, package=str(tmp_path)))
    with pytest.raises(UsageError, match="exclude each other"):
        install_command(Installation(inventory=inventory, receptor=Path("a"), receptor_package="b"))


def test_the_mesh_is_rendered_and_options_reach_ansible_playbook(commands: Commands, described: Path) -> None:
    """`mesh install` renders, then becomes ansible-playbook: its output, its exit code."""
    listed = commands.ours("mesh", "install", "--", "--list-hosts")
    assert listed.rc == 0, listed.stderr
    assert (described / "out" / "worker" / "files" / "receptor.yml").exists()
    assert "Install the nodes, one after the other" in listed.text
    assert "WARNING" not in listed.stderr
    wrong = commands.ours("mesh", "install", "--", "--no-such-option")
    assert wrong.rc == 2
    assert "unrecognized arguments: --no-such-option" in wrong.stderr


def test_an_option_of_ansible_without_the_dashes_is_explained(
    command_line: CommandLine, described: Path
) -> None:
    """The hint for an unknown option says where ansible-playbook's options go."""
    done = command_line.ours("mesh", "install", "--limit", "worker")
    assert done.rc == 64
    assert (
        "hint: options of ansible-playbook follow `--`: receptor-runner mesh install -- --limit"
        in done.stderr
    )


def test_the_help_says_that_more_may_follow(command_line: CommandLine) -> None:
    """The usage line shows where ansible-playbook's options go."""
    shown = command_line.ours("mesh", "install", "--help")
    assert shown.rc == 0
    assert "[-- ANSIBLE-PLAYBOOK" in shown.text
