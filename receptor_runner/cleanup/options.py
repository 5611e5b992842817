"""The options of a clean-up."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_GRACE_PERIOD_MIN = 60.0
DEFAULT_ENGINE = "podman"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """What to clean up.

    Attributes:
        file_pattern: a glob for private data directories; None keeps all of them.
        exclude_strings: directories whose path contains one of these are kept.
        grace_period_min: directories that changed within this many minutes are kept; 0 for no grace period.
        remove_images: the images to untag.
        image_prune: remove images without a name.
        engine: the container engine.
        store: empty the store of this user's workers.
        dry_run: report what would be removed, and remove nothing.
    """

    file_pattern: str | None = None
    exclude_strings: tuple[str, ...] = ()
    grace_period_min: float = DEFAULT_GRACE_PERIOD_MIN
    remove_images: tuple[str, ...] = ()
    image_prune: bool = False
    engine: str = DEFAULT_ENGINE
    store: bool = False
    dry_run: bool = False
