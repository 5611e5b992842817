"""`vars_prompt` of playbooks: asked here before the upload, since nobody sits at the terminal of a node."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_AT_END = r"\s*$"


@dataclass(frozen=True, slots=True, kw_only=True)
class VarsPrompt:
    """One entry of `vars_prompt`.

    Attributes:
        name: the variable.
        prompt: the text that Ansible shows, with the default and the colon.
        is_private: whether what is typed is not shown.
        is_confirmed: whether it has to be typed twice.
    """

    name: str
    prompt: str
    is_private: bool
    is_confirmed: bool

    @property
    def patterns(self) -> list[str]:
        """Regular expressions that find the question, and its repetition, in the job's output."""
        # what is templated has another text on the node
        parts = re.split(r"\{\{.*?\}\}", self.prompt.rstrip())
        text = ".*".join(re.escape(part) for part in parts) + _AT_END
        # Ansible puts `confirm ` before the question when it repeats it; the first pattern must not match that.
        return [f"(?<!confirm ){text}", *([f"confirm {text}"] if self.is_confirmed else [])]


def read_vars_prompts(playbooks: Iterable[Path], given: set[str]) -> Iterator[VarsPrompt]:
    """Yield what the playbooks ask for, each variable once.

    A playbook that cannot be read here as YAML yields nothing: Ansible will say what is wrong with it.

    Args:
        playbooks: the files.
        given: variables that the command line sets; Ansible does not ask for these.

    Source: ansible-core 2.19's `vars_prompt`: private unless it says otherwise, the default in brackets.
    """
    known = set(given)
    for playbook in playbooks:
        for entry in _entries(playbook):
            name = entry.get("name")
            if isinstance(name, str) and name not in known:
                known.add(name)
                yield _read(name, entry)


def _read(name: str, entry: dict[str, Any]) -> VarsPrompt:
    text = str(entry.get("prompt", name)) or f"input for {name}"
    default = entry.get("default")
    shown = f"{text} [{default}]: " if default is not None else f"{text}: "
    return VarsPrompt(
        name=name,
        prompt=shown,
        is_private=_is_true(entry.get("private"), usual=True),
        is_confirmed=_is_true(entry.get("confirm"), usual=False),
    )


def _is_true(value: object, *, usual: bool) -> bool:
    if value is None:
        return usual
    return value if isinstance(value, bool) else str(value).strip().lower() in {"yes", "true", "on", "1", "y"}


def _entries(playbook: Path) -> Iterator[dict[str, Any]]:
    for play in _plays(playbook, frozenset()):
        asked = play.get("vars_prompt")
        for entry in asked if isinstance(asked, list) else []:
            if isinstance(entry, dict):
                yield entry


def _plays(playbook: Path, importing: frozenset[Path]) -> Iterator[dict[str, Any]]:
    """Yield the plays of a playbook, those of imported playbooks in their place; one that imports itself ends there."""
    document = None if playbook in importing else _load(playbook)
    for play in document if isinstance(document, list) else []:
        if not isinstance(play, dict):
            continue
        imported = play.get("import_playbook") or play.get("ansible.builtin.import_playbook")
        if isinstance(imported, str):
            yield from _plays(playbook.parent / imported, importing | {playbook})
        else:
            yield play


def _load(path: Path) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads tags such as `!vault` as nothing."""

    Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 - a subclass of SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return None


def variable_names(text: str, locate: Callable[[str], Path]) -> set[str]:
    """Return the variables that one `-e` sets, as far as that can be told.

    Args:
        text: `k=v k=v`, JSON, YAML, or `@` and the name of a file.
        locate: returns the path of that file.
    """
    stripped = text.strip()
    if stripped.startswith("@"):
        return _keys(_load(locate(stripped[1:])))
    if stripped.startswith(("{", "[")):
        import yaml

        with contextlib.suppress(yaml.YAMLError):
            return _keys(yaml.safe_load(stripped))
        return set()
    return set(re.findall(r"(?:^|\s)([A-Za-z_]\w*)=", stripped))


def _keys(values: Any) -> set[str]:
    return {str(name) for name in values} if isinstance(values, dict) else set()
