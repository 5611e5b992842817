"""Copying the files of a job into the store, beside the job."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from receptor_runner.archive.kept_files import KeptFile
from receptor_runner.store.blobs import Store


@contextlib.contextmanager
def filling(store: Store | None, directory: Path, files: Iterable[KeptFile]) -> Iterator[None]:
    """Fill the store from a private data directory in the background; at the end wait until it is filled.

    The job does not wait for it. What the job has changed by then has another digest, and is not kept. What a worker
    cannot copy before it is stopped travels again.

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
    # At the usual priority: a thread that seldom gets a processor would hold the interpreter's lock meanwhile, and with
    # it the events of the job. Most of the copying is done without that lock.
    with contextlib.suppress(OSError):  # a full disk, for example: what is not kept travels again
        for file in files:
            if file.size <= store.limit:
                store.add(directory / file.name, file.digest)
    with contextlib.suppress(OSError):
        store.trim()
