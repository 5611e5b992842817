"""Configuration files: which are trusted, and what is wrong with them, by line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from receptor_runner.cli.configuration.files import Location, NotUsable, locations, read
from receptor_runner.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = ("socket", "node", "container-option")


def place(path: Path, text: str) -> Location:
    """Write a file; return where it is."""
    path.write_text(text)
    path.chmod(0o600)
    return Location(path=path, name="./receptor-runner.yml")


def test_settings_and_profiles_are_read_with_their_lines(tmp_path: Path) -> None:
    """A value is the text that is written, whatever YAML makes of it; a list is one of texts."""
    text = "socket: 0x10\nprofiles:\n  prod:\n    node: yes\n    container-option: [--rm, 5]\n"
    found = read(place(tmp_path / "f", text), KNOWN)
    assert found
    assert (found.settings["socket"].value, found.settings["socket"].place) == (
        "0x10",
        "./receptor-runner.yml:1",
    )
    prod = found.profiles["prod"]
    assert (prod["node"].value, prod["node"].place) == ("yes", "./receptor-runner.yml:4")
    assert prod["container-option"].value == ("--rm", "5")


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_file_sets_nothing(tmp_path: Path, text: str) -> None:
    """A file without settings is valid."""
    found = read(place(tmp_path / "f", text), KNOWN)
    assert found
    assert not found.settings


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        (
            "a: b\nsokcet: x\n",
            "1: unknown setting `a`",
            "remove line 1 of ./receptor-runner.yml; settings: receptor-runner run --help-all",
        ),
        ("node: a\nsokcet: x\n", "2: unknown setting `sokcet`", "did you mean `socket`?"),
        (
            "container_option: x\n",
            "1: unknown setting `container_option`",
            "did you mean `container-option`?",
        ),
        ("profile: {}\n", "1: unknown setting `profile`", "did you mean `profiles`?"),
        ("profiles:\n  prod:\n    nod: x\n", "3: unknown setting `nod`", "did you mean `node`?"),
        ("node: a\nnode: b\n", "2: `node` is set twice", None),
        ("node: {a: b}\n", "1: `node` must be a text or a list of texts", None),
        ("node:\n", "1: `node` must be a text or a list of texts", None),
        ("- node\n", "1: the file must be a mapping", None),
        ("profiles:\n  prod: x\n", "2: profile `prod` must be a mapping", None),
        ("node: [\n", "not valid YAML", None),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, said: str, hint: str | None) -> None:
    """What is wrong is said with file, line and the nearest name."""
    with pytest.raises(ConfigError, match=r"^\./receptor-runner\.yml:") as failure:
        read(place(tmp_path / "f", text), KNOWN)
    assert said in failure.value.what
    assert hint is None or failure.value.hint == hint


def test_no_file_is_no_error(tmp_path: Path) -> None:
    """Where there is no file, nothing is configured."""
    assert read(Location(path=tmp_path / "none", name="none"), KNOWN) is None


def test_a_file_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    """Somebody else may have written what it says, and it says where secrets go."""
    location = place(tmp_path / "f", "node: a\n")
    location.path.chmod(0o666)
    with pytest.raises(ConfigError, match="everybody may write") as failure:
        read(location, KNOWN)
    assert failure.value.hint == f"chmod o-w {location.path}"


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """A named pipe does not block the program."""
    os.mkfifo(tmp_path / "f", 0o600)
    with pytest.raises(ConfigError, match="not a regular file"):
        read(Location(path=tmp_path / "f", name="f"), KNOWN)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("by", ["file", "link"])
def test_a_file_of_another_user_is_not_trusted(tmp_path: Path, by: str) -> None:
    """Neither a file of another user counts, nor another user's link to one of our files."""
    path = place(tmp_path / "f", "node: a\n").path
    if by == "file":
        os.chown(path, 12345, 12345)
    else:
        path = tmp_path / "link"
        path.symlink_to("f")
        os.lchown(path, 12345, 12345)
    with pytest.raises(NotUsable):
        read(Location(path=path, name="f"), KNOWN)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A directory of that name is an error, and named."""
    with pytest.raises(ConfigError, match=r"^\./receptor-runner\.yml is not a regular file"):
        read(Location(path=tmp_path, name="./receptor-runner.yml"), KNOWN)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_file_of_ones_own_that_cannot_be_read_is_refused(short_dir: Path) -> None:
    """What it says of the node must not be dropped: it is an error that tells how to make it readable."""
    short_dir.chmod(0o755)
    closed = place(short_dir / "f", "node: prod\n")
    os.chown(closed.path, 65534, 65534)
    closed.path.chmod(0)
    os.seteuid(65534)
    try:
        with pytest.raises(ConfigError, match="cannot read") as failure:
            read(closed, KNOWN)
    finally:
        os.seteuid(0)
    assert failure.value.hint == f"chmod u+r {closed.path}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_only_others_may_read_does_not_count(short_dir: Path) -> None:
    """A home directory that is closed to us has no configuration; a file that is closed to us is reported."""
    short_dir.chmod(0o755)
    home = short_dir / "home"
    home.mkdir(0o700)
    closed, inside = place(short_dir / "f", "node: a\n"), place(home / "f", "node: a\n")
    os.seteuid(65534)
    try:
        assert read(inside, KNOWN) is None
        with pytest.raises(NotUsable, match="permission denied"):
            read(closed, KNOWN)
    finally:
        os.seteuid(0)


def test_where_files_are_looked_for() -> None:
    """In the current directory, then in the user's configuration directory, by XDG_CONFIG_HOME or HOME."""

    def names(**environment: str) -> list[str]:
        return [location.name for location in locations(environment)]

    assert names() == ["./receptor-runner.yml"]
    assert names(HOME="/home/a")[1:] == ["~/.config/receptor-runner/config.yml"]
    assert names(HOME="/home/a", XDG_CONFIG_HOME="/etc/a")[1:] == ["/etc/a/receptor-runner/config.yml"]
    assert names(HOME="/home/a", XDG_CONFIG_HOME="here")[1:] == ["~/.config/receptor-runner/config.yml"]
    assert names(HOME="/")[1:] == ["/.config/receptor-runner/config.yml"]
