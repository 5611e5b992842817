"""What hatchling runs while it builds the wheel: it adds the man page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualHook(BuildHookInterface):  # type: ignore[misc]  # hatchling is there only while it builds
    """Makes build/receptor-runner.1 and puts it where `man` looks in the environment of the installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the page and let it travel in the wheel; an editable installation goes without."""
        if version == "editable":
            return
        sys.path[:0] = [self.root, str(Path(self.root, "scripts"))]
        from manual import manual

        page = Path(self.directory, "receptor-runner.1")
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(manual())
        build_data["shared_data"][str(page)] = "share/man/man1/receptor-runner.1"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the page, which is in the wheel now."""
        Path(self.directory, "receptor-runner.1").unlink(missing_ok=True)
