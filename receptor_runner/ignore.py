"""What of a project does not travel: what git ignores, `.git` itself, and what `.runnerignore` names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from receptor_runner.system.files import read_regular

RUNNER_IGNORE = ".runnerignore"

_INSTALLED_CONTENT = re.compile(r"(.*/)?(roles|collections)/(.*/)?").fullmatch


def project_rule(root: Path, note: Callable[[str], None]) -> Callable[[str], bool]:
    """Return the rule that says what of a project travels.

    In a git repository that is what git tracks or would track. Roles and collections that git ignores travel all the
    same, for Ansible loads them: they are what ansible-galaxy has installed. `.runnerignore` overrides both.

    Args:
        root: the project.
        note: takes a line for the person where git cannot be asked.
    """
    listed = _listed_by_git(root, note) if (root / ".git").exists() else None
    ignored = runner_ignore(root)

    def travels(name: str) -> bool:
        if ".git" in name.split("/"):
            return False
        decided = ignored(name)
        return not decided if decided is not None else listed is None or listed(name)

    return travels


def runner_ignore(root: Path) -> Callable[[str], bool | None]:
    """Return what `.runnerignore` in a directory says of a name: leave out, take along, or nothing.

    Source: the rules and the syntax are those of .gitignore.
    """
    path = root / RUNNER_IGNORE
    content = read_regular(path)
    if content is None:
        return lambda _name: None
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines(content.decode("utf-8", "surrogateescape").splitlines())

    def decide(name: str) -> bool | None:
        is_directory = (root / name).is_dir()
        return spec.check_file(f"{name}/" if is_directory else name).include

    return decide


def _listed_by_git(root: Path, note: Callable[[str], None]) -> Callable[[str], bool] | None:
    """Return whether git lists a name, or is silent about it because a submodule has it; None if git cannot say."""
    import subprocess

    try:
        names = _ask_git(root, "--cached", "--others", "--exclude-standard")
        left_out = _ask_git(root, "--others", "--ignored", "--exclude-standard", "--directory")
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", b"") or str(error).encode()
        note(f"git does not say what it ignores, so all of {root} travels: {_last_line(said)}")
        return None
    installed = [name for name in left_out if _INSTALLED_CONTENT(name)]
    known = _with_parents(name.rstrip("/") for name in (*names, *installed))
    # git lists a submodule, and an ignored directory, as one name: all below it belongs to it
    whole = tuple(f"{name.rstrip('/')}/" for name in (*names, *installed) if (root / name).is_dir())
    return lambda name: name in known or name.startswith(whole)


def _ask_git(root: Path, *options: str) -> list[str]:
    import subprocess

    words = ["git", "-C", str(root), "ls-files", "-z", *options]
    done = subprocess.run(words, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    return [name for name in done.stdout.decode(errors="surrogateescape").split("\0") if name]


def _with_parents(names: Iterable[str]) -> set[str]:
    known: set[str] = set()
    for name in names:
        while name and name not in known:
            known.add(name)
            name = name.rpartition("/")[0]  # noqa: PLW2901 - walks up
    return known


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it printed nothing"
