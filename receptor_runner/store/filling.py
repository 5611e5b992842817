"""Copying the files of a job into the store, beside the job."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from receptor_runner.store.blobs import Store
from receptor_runner.stream.references import KeptFile

_LOWEST_PRIORITY = 19


@contextlib.contextmanager
def filling(store: Store | None, directory: Path, files: Iterable[KeptFile]) -> Iterator[None]:
    """Fill the store from a private data directory in the background; at the end wait until it is filled.

    The job neither waits nor is slowed down: the copying starts with it, at the lowest priority. What the job has
    changed by then has another digest, and is not kept.

    Args:
        store: where the files go; None for nowhere.
        directory: where they are.
        files: what may be kept.
    """
    if store is None or not files:
        yield
        return
    thread = threading.Thread(target=_fill, args=(store, directory, files), name="store", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _fill(store: Store, directory: Path, files: Iterable[KeptFile]) -> None:
    with contextlib.suppress(OSError):  # a full disk, for example: what is not kept travels again
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
        for file in files:
            if file.size <= store.limit:
                store.add(directory / file.name, file.digest)
    with contextlib.suppress(OSError):
        store.trim()
