"""Which directories a clean-up never removes."""

from __future__ import annotations

import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from receptor_runner.errors import UsageError
from receptor_runner.system.protected import Protected

SYSTEM = [
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/dev/shm",
    "/etc",
    "/etc/ssh",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/proc/1",
    "/root",
    "/run",
    "/run/user",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib/python3",
    "/usr/local",
    "/var",
    "/var/lib",
    "/var/lib/dpkg",
    "/var/log",
    "/var/tmp",
    "/home/somebody",
]

FREE = [
    "/tmp/awx_1_x",
    "/var/tmp/awx_1_x",
    "/dev/shm/awx_1_x",
    "/srv/jobs",
    "/opt/jobs/1",
    "/home/somebody/jobs",
    "/var/lib/awx-x/job_1",
    "/run/user/1000/job",
    "/runner",
]


@pytest.mark.parametrize("path", SYSTEM)
def test_system_directories_are_protected(path: str) -> None:
    """Whatever belongs to the system is protected, as it is written and as it resolves."""
    assert Protected().reason(Path(path))
    assert Protected().reason(Path(path).resolve())


@pytest.mark.parametrize("path", FREE)
def test_places_for_private_data_directories_are_not(path: str) -> None:
    """Private data directories in the usual places are not protected."""
    assert Protected().reason(Path(path)) is None


def test_the_home_of_every_user_is_protected() -> None:
    """All of the homes in the user database are protected, and so is what is above them."""
    for user in pwd.getpwall():
        home = Path(user.pw_dir)
        assert Protected().reason(home), user.pw_name
        assert all(Protected().reason(parent) for parent in home.parents), user.pw_name


def test_the_current_directory_and_all_above_are_protected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody saws off the branch on which he sits; what is below or beside may go."""
    here = tmp_path / "a" / "b"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    protected = Protected()
    assert protected.reason(here) == "the current directory, or above it"
    assert protected.reason(tmp_path / "a") == "the current directory, or above it"
    assert protected.reason(here / "c") is None
    assert protected.reason(tmp_path / "a2") is None


def test_the_directory_of_the_commands_own_output_is_protected(tmp_path: Path) -> None:
    """A unit that cleans up does not remove the unit directory it writes to, nor what is above."""
    unit = tmp_path / "node" / "unit"
    unit.mkdir(parents=True)
    code = "import sys; from pathlib import Path; from receptor_runner.system.protected import Protected\n"
    code += "print([Protected().reason(Path(word)) for word in sys.argv[1:]])"
    with open(unit / "stdout", "wb") as output:
        words = [str(unit), str(unit.parent), str(unit.parent / "other")]
        subprocess.run([sys.executable, "-c", code, *words], stdout=output, check=True)
    why = "where the output of this command goes, or above it"
    assert (unit / "stdout").read_text() == f"{[why, why, None]}\n"


def test_all_that_is_refused_is_named_in_the_peers_words() -> None:
    """The refusal holds ansible-runner's sentences, every name, and each reason behind them."""
    with pytest.raises(UsageError) as refused:
        Protected().check({"/hom*": Path("/home"), "/r": Path("/root"), "/x": Path("/srv/x")})
    assert refused.value.what == (
        "Provided pattern could result in deleting system folders:\n/hom* /r\n"
        "Refusing to continue for user system safety."
    )
    assert refused.value.cause == (
        "/hom* is a system directory, or above one; /r is a home directory, or above one"
    )


def test_the_home_of_the_environment_is_protected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$HOME counts even where the user database says otherwise."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert Protected().reason(tmp_path / "home") == "a home directory, or above one"
