"""The units of a node, which are directories: made, found, listed, removed, and looked through at a start."""

from __future__ import annotations

import contextlib
import os
import re
import string
from pathlib import Path
from typing import NamedTuple

from receptor_runner.errors import ConfigError
from receptor_runner.node.refusal import Refused
from receptor_runner.node.unit_status import (
    Detail,
    StatusFile,
    StatusUnreadable,
    StoredUnitState,
    StoredUnitStatus,
)
from receptor_runner.system.files import remove_tree

UNIT_ID = re.compile(r"[0-9A-Za-z]{8}")
_ALPHABET = string.digits + string.ascii_letters
_REMOVAL_ATTEMPTS = 5


class Unit(NamedTuple):
    """One unit of work: its id and its directory."""

    unit_id: str
    unit_dir: Path

    @property
    def stdin(self) -> Path:
        """The payload."""
        return self.unit_dir / "stdin"

    @property
    def stdout(self) -> Path:
        """What the command wrote, both streams."""
        return self.unit_dir / "stdout"

    @property
    def status_file(self) -> StatusFile:
        """The status, under its lock."""
        return StatusFile(str(self.unit_dir))

    def read_status(self) -> StoredUnitStatus:
        """Return the status; a damaged one reads as Failed, with the reason in its detail.

        Raises:
            Refused: the unit is gone.
        """
        try:
            return self.status_file.read()
        except StatusUnreadable as error:
            return StoredUnitStatus(state=StoredUnitState.FAILED, detail=f"Failed to restart: {error}")
        except OSError as error:
            raise Refused(f"unknown work unit {self.unit_id}") from error

    def has_ended(self) -> bool:
        """Return whether nothing will change any more, because the unit is complete or gone."""
        try:
            return self.read_status().state.complete
        except Refused:
            return True


class UnitStore:
    """The directory `<datadir>/<node id>`, in the daemon's layout.

    Args:
        directory: where the units live; made when it is not there.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                "cannot make the data directory", cause=f"{directory}: {error.strerror}"
            ) from error

    def create(self, work_type: str, params: str) -> Unit:
        """Make a unit with an id of its own, Pending.

        Raises:
            OSError: the directory cannot be written; nothing stays behind.
        """
        unit = self._make_directory()
        status = StoredUnitStatus(work_type=work_type, extra_data={"Pid": 0, "Params": params})
        try:
            unit.status_file.create(status)
        except BaseException:
            remove_tree(unit.unit_dir)
            raise
        return unit

    def find(self, unit_id: str) -> Unit:
        """Return the unit of an id.

        Raises:
            Refused: no such unit, or a text that cannot be an id.
        """
        unit = self._unit(unit_id)
        if not UNIT_ID.fullmatch(unit_id) or not (unit.unit_dir / "status").is_file():
            raise Refused(f"unknown work unit {unit_id}")
        return unit

    def list(self) -> list[Unit]:
        """Return the units there are, by id."""
        names = sorted(entry.name for entry in self.directory.iterdir() if UNIT_ID.fullmatch(entry.name))
        return [self._unit(name) for name in names if (self.directory / name / "status").is_file()]

    def remove(self, unit: Unit) -> None:
        """Remove a unit; clients stop finding it before the first file is gone.

        Raises:
            OSError: the directory cannot be removed.
        """
        (unit.unit_dir / "status").unlink(missing_ok=True)
        for _ in range(_REMOVAL_ATTEMPTS):
            remove_tree(unit.unit_dir)
            if not unit.unit_dir.exists():
                return
        remove_tree(unit.unit_dir, check=True)

    def sweep(self) -> None:
        """Remove what a killed node left of units that were being made or removed."""
        for entry in self.directory.iterdir():
            if UNIT_ID.fullmatch(entry.name) and entry.is_dir() and not (entry / "status").exists():
                remove_tree(entry)

    def _unit(self, unit_id: str) -> Unit:
        return Unit(unit_id=unit_id, unit_dir=self.directory / unit_id)

    def _make_directory(self) -> Unit:
        while True:
            # `secrets` would choose as well, but importing it takes a tenth of a node's start.
            unit = self._unit("".join(_ALPHABET[byte % len(_ALPHABET)] for byte in os.urandom(8)))
            with contextlib.suppress(FileExistsError):
                unit.unit_dir.mkdir(mode=0o700)
                return unit


def fail_unreadable(unit: Unit) -> StoredUnitStatus:
    """Make a damaged status whole again, as a failure, and return it."""
    status = unit.read_status()
    with contextlib.suppress(OSError):
        unit.status_file.overwrite(status)
    return status


def fail_if_never_started(unit: Unit, size: int) -> bool:
    """Fail a unit that was still Pending when its node ended; return whether it was."""
    changed = unit.status_file.update(
        state=StoredUnitState.FAILED,
        detail=Detail.PENDING_AT_RESTART,
        stdout_size=size,
        only_if=lambda status: status.launchable,
    )
    return changed is not None
