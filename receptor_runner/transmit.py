"""Phase 1: a job and its private data directory become the stream that a worker reads."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from receptor_runner.artifacts import RESERVED_NAMES
from receptor_runner.errors import MissingInput, UsageError
from receptor_runner.job import Job, check_ident
from receptor_runner.stream.archive import MemoryFile, PackedArchive, pack
from receptor_runner.stream.encoder import EOF_LINE, encode_archive, encode_line

ENV_FILES = ("envvars", "extravars", "passwords", "settings", "ssh_key", "cmdline")
"""Options that travel as files below `env/`, unless `suppress_env_files` is set."""

GENERATED_PLAYBOOK = "main.json"
_THIS_MACHINE = 'ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"'


@dataclass(slots=True)
class Shipment:
    """A job, packed and ready to be sent.

    Attributes:
        job: the job as it goes over the wire.
        archive: the private data directory, or None where the worker shares it.
        on_sent: told, as the stream is taken, how many of its bytes are, and about how many there are in all.
    """

    job: Job
    archive: PackedArchive | None = None
    on_sent: Callable[[int, int], None] = lambda _sent, _size: None

    @property
    def skipped(self) -> list[str]:
        """What could not travel, as `name: reason`."""
        return self.archive.skipped if self.archive else []

    def digest(self) -> str:
        """Return a digest of the job and its inputs; artifacts of earlier runs do not count."""
        inputs = self.archive.digest(lambda name: not name.startswith("artifacts/")) if self.archive else ""
        return hashlib.sha256(f"{self.job.digest()} {inputs}".encode()).hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """Yield the stream: the options, the archive, the end marker."""
        size = -(-self.archive.size // 3) * 4 if self.archive else 0
        sent = 0
        for chunk in self._chunks():
            yield chunk
            sent += len(chunk)
            self.on_sent(sent, max(size, sent))

    def _chunks(self) -> Iterator[bytes]:
        yield encode_line({"kwargs": self.job.to_kwargs()})
        if self.archive:
            yield from encode_archive(self.archive.size, self.archive.chunks())
        yield EOF_LINE

    def close(self) -> None:
        """Give the spooled archive back."""
        if self.archive:
            self.archive.close()


def prepare(
    job: Job, private_data_dir: Path, *, only_kwargs: bool = False, include_artifacts: bool = False
) -> Shipment:
    """Pack a job; when it returns, everything that can fail on this side has been tried.

    Secrets, generated plays and inventories go into the archive from memory; nothing is written to the private
    data directory.

    Args:
        job: what to run.
        private_data_dir: the directory to ship; it must exist.
        only_kwargs: send the options alone, for a worker that shares the directory.
        include_artifacts: ship `artifacts/` too, of which otherwise only this ident's fact cache travels.

    Raises:
        MissingInput: the directory, or a file in it, cannot be read.
        UsageError: the job names something that cannot travel.

    Source: the stream of ansible-runner 2.4.3's transmit, which a worker of either kind accepts.
    """
    root = Path(os.path.abspath(private_data_dir))
    if root.exists() and not root.is_dir():
        raise MissingInput(
            f"private data directory {private_data_dir} is no directory", hint=f"ls -ld {root}"
        )
    if not root.is_dir():
        hint = f"mkdir -p {private_data_dir}/project"
        raise MissingInput(f"private data directory {private_data_dir} does not exist", hint=hint)
    load = _Load(job, root)
    load.translate()
    load.check()
    travelling = dataclasses.replace(job, **load.changes)
    if only_kwargs:
        return Shipment(travelling)
    wanted = _travels(root, job, include_artifacts=include_artifacts)
    return Shipment(travelling, pack(root, wanted=wanted, extra=load.files))


def _travels(root: Path, job: Job, *, include_artifacts: bool) -> Callable[[str], bool]:
    """Return the rule that says what of the private data directory is shipped."""
    facts = f"artifacts/{check_ident(job.ident)}/{job.fact_cache or 'fact_cache'}" if job.ident else ""
    has_facts = bool(facts) and (root / facts).is_dir()

    def travels(name: str) -> bool:
        if name != "artifacts" and not name.startswith("artifacts/"):
            return True
        parts = name.split("/")
        if len(parts) == 3 and parts[2] in RESERVED_NAMES:
            return False
        on_the_way = facts.startswith(name + "/") or (name + "/").startswith(facts + "/")
        return include_artifacts or (has_facts and on_the_way)

    return travels


def _host_line(host: str) -> str:
    """Return a host as a line of an inventory.

    Source: to ansible-runner such a list is a text without hosts, so that ansible's implicit localhost applies.
    """
    return f"{host} {_THIS_MACHINE}" if host == "localhost" else host


@dataclass(slots=True)
class _Load:
    """What a job becomes on its way: changed options, and files that exist in the archive only."""

    job: Job
    root: Path
    changes: dict[str, Any] = field(default_factory=dict)
    files: dict[str, MemoryFile] = field(default_factory=dict)

    def translate(self) -> None:
        self._role()
        self._playbook()
        self._inventory()
        self._directories()
        self._environment()

    def check(self) -> None:
        """Refuse files that could not be placed on the worker, below what is no directory."""
        for name in self.files:
            for parent in Path(name).parents:
                place = self.root / parent
                if parent.name and (place.is_symlink() or place.is_file()):
                    raise UsageError(
                        f"`{parent}` in the private data directory is no directory of its own",
                        cause=f"the job needs a file {name} there, on the worker",
                        hint=f"make {place} a directory, or put {name} where it leads",
                    )

    def _role(self) -> None:
        """Turn a role into a play; the role is found in the shipped `roles/`, wherever that lies on the worker."""
        job = self.job
        if job.role is None:  # what belongs to a role is nothing that a worker of either kind knows
            self.changes |= dict.fromkeys(("role_vars", "role_skip_facts"))
            return
        role: dict[str, Any] = {"name": job.role}
        if job.role_vars:
            role["vars"] = job.role_vars
        play: dict[str, Any] = {"hosts": job.hosts or job.host_pattern or "all", "roles": [role]}
        if job.role_skip_facts is not None:
            play["gather_facts"] = not job.role_skip_facts
        self._add_playbook([play])
        further = [job.roles_path] if isinstance(job.roles_path, str) else job.roles_path or []
        self.changes |= dict.fromkeys(
            ("role", "role_vars", "role_skip_facts", "hosts", "host_pattern", "roles_path")
        )
        envvars = dict(job.envvars or {})
        named = [str(envvars["ANSIBLE_ROLES_PATH"])] if "ANSIBLE_ROLES_PATH" in envvars else []
        envvars["ANSIBLE_ROLES_PATH"] = ":".join([".", *further, *named])
        self.changes["envvars"] = envvars

    def _add_playbook(self, plays: list[Any]) -> None:
        self.files[f"project/{GENERATED_PLAYBOOK}"] = MemoryFile(json.dumps(plays).encode())
        self.changes["playbook"] = GENERATED_PLAYBOOK

    def _playbook(self) -> None:
        playbook = self.job.playbook
        if isinstance(playbook, dict):
            self._add_playbook([playbook])
        elif isinstance(playbook, list):
            self._add_playbook(playbook)
        elif playbook and Path(playbook).is_absolute():
            self.changes["playbook"] = self._inside(playbook, self.root / "project") or playbook

    def _inside(self, path: str, base: Path) -> str | None:
        """Return a path relative to `base` if it lies in there, else None."""
        absolute = Path(os.path.normpath(path))
        return str(absolute.relative_to(base)) if absolute.is_relative_to(base) else None

    def _inventory(self) -> None:
        inventory = self.job.inventory
        if isinstance(inventory, dict):
            self.files["inventory/hosts.json"] = MemoryFile(json.dumps(inventory).encode())
            self.changes["inventory"] = "inventory/hosts.json"
        elif isinstance(inventory, str) and inventory:
            self.changes["inventory"] = self._inventory_source(inventory)
        elif inventory:
            sources = [self._inventory_source(source) for source in inventory]
            self.changes["inventory"] = sources[0] if len(sources) == 1 else sources

    def _inventory_source(self, source: str) -> str:
        if "\n" not in source and (below := self._existing_inventory(source)):
            return below
        if "\n" in source or "=" in source or "[" in source:
            return self._inventory_text(source)
        if "," in source:
            return self._inventory_text("\n".join(_host_line(host) for host in source.split(",") if host))
        if "/" not in source and not self.root.joinpath("inventory").exists():
            return self._inventory_text(source)
        raise UsageError(
            f"inventory {source} does not exist below {self.root / 'inventory'}",
            hint=f"copy it there; for a list of hosts end it with a comma: `{source},`",
        )

    def _existing_inventory(self, source: str) -> str | None:
        """Return the path, relative to the private data directory, of an inventory that exists in there."""
        for candidate in (self.root / "inventory" / source, Path(source), self.root / source):
            absolute = Path(os.path.normpath(Path.cwd() / candidate))
            if absolute.is_relative_to(self.root) and _exists(absolute):
                return str(absolute.relative_to(self.root))
        if Path(source).is_absolute() and _exists(Path(source)):
            raise UsageError(
                f"inventory {source} lies outside of the private data directory",
                cause="it would not exist on the worker",
                hint=f"cp -r {source} {self.root / 'inventory'}/",
            )
        return None

    def _inventory_text(self, text: str) -> str:
        count = sum(name.startswith("inventory/hosts") for name in self.files)
        name = f"inventory/hosts_{count + 1}" if count else "inventory/hosts"
        self.files[name] = MemoryFile(text.encode() + b"\n")
        return name

    def _directories(self) -> None:
        for key in ("project_dir", "artifact_dir"):
            value = getattr(self.job, key)
            if value and Path(value).is_absolute():
                self.changes[key] = self._inside(value, self.root) or value

    def _environment(self) -> None:
        """Move options to files below `env/`, as the peer does, but in the archive alone."""
        self._roles_path_in_envvars()
        if self.job.suppress_env_files:
            return
        for key in ENV_FILES:
            value = self.changes.get(key, getattr(self.job, key))
            if value and not (self.root / "env" / key).exists():
                self._move_to_file(key, value)

    def _move_to_file(self, key: str, value: Any) -> None:
        if key == "envvars":
            kept = {name: value[name] for name in value if name == "ANSIBLE_ROLES_PATH"}
            value = {name: value[name] for name in value if name not in kept}
            self.changes[key] = kept or None
        elif key == "extravars" and isinstance(value, str):
            return
        else:
            self.changes[key] = None
        if value:
            text = value if isinstance(value, str) else json.dumps(value)
            self.files[f"env/{key}"] = MemoryFile(text.encode())

    def _roles_path_in_envvars(self) -> None:
        """Make ANSIBLE_ROLES_PATH relative to the shipped `roles/`, for the worker joins it to its own."""
        envvars = self.changes.get("envvars", self.job.envvars) or {}
        if "ANSIBLE_ROLES_PATH" in envvars:
            paths = str(envvars["ANSIBLE_ROLES_PATH"]).split(":")
            below = [self._from_roles(path) for path in paths]
            self.changes["envvars"] = {**envvars, "ANSIBLE_ROLES_PATH": ":".join(below)}

    def _from_roles(self, path: str) -> str:
        """Return a path of the private data directory as it reads from `roles/`; another stays as it is."""
        inside = self._inside(path, self.root)
        return os.path.relpath(inside, "roles") if inside else path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a text that is too long for a name
        return False
