"""Phase 1: a job and its private data directory become the stream that a worker reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from receptor_runner.archive.pack import MemoryFile, PackedArchive, Tree, pack_trees
from receptor_runner.archive.zip_format import DEFAULT_LEVEL
from receptor_runner.artifacts import CERTIFICATE_NAME, RESERVED_NAMES
from receptor_runner.env_files import EnvFiles
from receptor_runner.errors import MissingInput, pasteable
from receptor_runner.ignore import runner_ignore
from receptor_runner.job import Job, check_ident
from receptor_runner.job_inputs import read_inputs
from receptor_runner.relocation import Relocation, named_files, options_as_files
from receptor_runner.store.policy import may_be_kept
from receptor_runner.stream.encoder import EOF_LINE, encode_archive, encode_line, encode_results_level
from receptor_runner.system.files import reading

_ISOLATION_ONLY = (
    "container_image",
    "container_volume_mounts",
    "container_options",
    "container_workdir",
    "container_auth_data",
    "process_isolation_executable",
    "process_isolation_hide_paths",
    "process_isolation_show_paths",
    "process_isolation_ro_paths",
)
"""Options that do nothing without `process_isolation`."""


@dataclass(slots=True)
class Shipment:
    """A job, packed and ready to be sent.

    Attributes:
        job: the job as it goes over the wire.
        archive: the private data directory, or None where the worker shares it.
        unused: options of the job that do nothing, as the caller may not expect.
        unkept: files and directories in the archive that the worker must not keep beyond the job: what came from
            memory, and what the command line names, such as inventories and keys.
        level: how hard it and the results are compressed, 0 to 9; None for the default.
        on_sent: told, as the stream is taken, how many of its bytes are, and about how many there are in all.
    """

    job: Job
    archive: PackedArchive | None = None
    unused: tuple[str, ...] = ()
    unkept: frozenset[str] = frozenset()
    level: int | None = None
    on_sent: Callable[[int, int], None] = lambda _sent, _size: None

    @property
    def skipped(self) -> list[str]:
        """What could not travel, as `name: reason`."""
        return self.archive.skipped if self.archive else []

    def warnings(self) -> Iterator[str]:
        """Yield what the caller should know before the stream is taken."""
        for skipped in self.skipped:
            yield f"skipped {skipped}"
        if self.unused:
            yield f"{', '.join(self.unused)}: no effect without process_isolation; the job runs on the node itself"

    def may_be_kept(self, name: str, mode: int) -> bool:
        """Return whether the worker may keep a file of the archive.

        Args:
            name: its name there.
            mode: its unix mode.
        """
        return may_be_kept(name, mode) and not any(
            parent in self.unkept for parent in (name, *map(str, PurePosixPath(name).parents))
        )

    def digest(self) -> str:
        """Return a digest of the job and its inputs; artifacts of earlier runs do not count."""
        import hashlib

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
        if self.level is not None:
            yield encode_results_level(self.level)
        if self.archive:
            yield from encode_archive(self.archive.size, self.archive.chunks())
        yield EOF_LINE

    def close(self) -> None:
        """Give the spooled archive back."""
        if self.archive:
            self.archive.close()


def prepare(
    job: Job,
    private_data_dir: Path,
    *,
    only_kwargs: bool = False,
    include_artifacts: bool = False,
    idents: Collection[str] = (),
    extra: Mapping[str, MemoryFile] | None = None,
    level: int | None = None,
) -> Shipment:
    """Pack a job; when it returns, everything that can fail on this side has been tried.

    Secrets, generated plays and inventories go into the archive from memory; nothing is written to the private
    data directory.

    Args:
        job: what to run.
        private_data_dir: the directory to ship; it must exist.
        only_kwargs: send the options alone, for a worker that shares the directory; plays, inventories and secrets
            that are given as data stay in them.
        include_artifacts: ship all of `artifacts/`; otherwise only the fact cache and the ssh certificate of this
            ident are shipped.
        idents: the jobs that will run from this archive, if that is not the one job.
        extra: more files from memory, by their place in the directory.
        level: how hard the archive and the results are compressed, 0 to 9; None for the default.

    Raises:
        ConfigError: a file in `env/` that the worker would read, or an option, makes no sense.
        MissingInput: the directory, or a file in it, cannot be read.
        UsageError: the job names something that cannot travel.

    Source: the stream of ansible-runner 2.4.3's transmit, which a worker of either kind accepts.
    """
    with reading(private_data_dir):
        root = _existing(private_data_dir)
        wanted = _travels(root, job, idents or (job.ident,), include_artifacts=include_artifacts)
        counts = (lambda _name: False) if only_kwargs else _arrives(root, wanted)
        # the worker reads them in the same way, after the upload
        read_inputs(job, EnvFiles(root=root, shown=private_data_dir, counts=counts))
        translation = Relocation(job, root, has_archive=not only_kwargs)
        translation.perform()
        unused = _without_isolation(job, EnvFiles(root=root, shown=private_data_dir))
    if only_kwargs:
        return Shipment(translation.job, unused=unused, level=level)
    trees = [Tree(root=root, wanted=wanted), *translation.outside.as_trees()]
    files = {**translation.files, **(extra or {})}
    unkept = translation.named | files.keys()
    archive = pack_trees(trees, extra=files, level=DEFAULT_LEVEL if level is None else level)
    return Shipment(translation.job, archive, unused=unused, unkept=unkept, level=level)


def _existing(private_data_dir: Path) -> Path:
    root = Path(os.path.abspath(private_data_dir))
    if root.exists() and not root.is_dir():
        what = f"private data directory {private_data_dir} is not a directory"
        raise MissingInput(what, hint=pasteable("ls", "-ld", root))
    if not root.is_dir():
        hint = pasteable("mkdir", "-p", private_data_dir / "project")
        raise MissingInput(f"private data directory {private_data_dir} does not exist", hint=hint)
    return root


def prepare_trees(
    job: Job, trees: Iterable[Tree], files: Mapping[str, MemoryFile], *, level: int | None = None
) -> Shipment:
    """Pack a job whose files come from several places and whose paths are those of the worker already.

    Args:
        job: what to run.
        trees: what the private data directory on the worker is made of.
        files: files from memory, by their place in it.
        level: as for `prepare`.

    Raises:
        MissingInput: a file cannot be read.
    """
    named = named_files(job)
    job, options = options_as_files(job, lambda _key: False)
    archive = pack_trees(trees, extra={**files, **options}, level=DEFAULT_LEVEL if level is None else level)
    return Shipment(job, archive, unkept=named | files.keys(), level=level)


def _without_isolation(job: Job, files: EnvFiles) -> tuple[str, ...]:
    """Return the options about isolation of a job that has none.

    Source: with ansible-runner a container_image alone does not mean a container, and nobody is told.
    """
    named = tuple(name for name in _ISOLATION_ONLY if getattr(job, name))
    if not named or job.process_isolation:
        return ()
    return () if files.settings(job.settings).get("process_isolation") else named


def _travels(
    root: Path, job: Job, idents: Collection[str | None], *, include_artifacts: bool
) -> Callable[[str], bool]:
    """Return the rule that says what of the private data directory travels; `.runnerignore` counts if it is there."""
    ignored = runner_ignore(root)
    named = [path for ident in idents if ident for path in _inputs_among_artifacts(job, ident)]
    inputs = [path for path in named if (root / path).exists()]

    def travels(name: str) -> bool:
        # asked for each file: of nearly all of them the first test tells
        if not name.startswith("artifacts") or (name != "artifacts" and not name.startswith("artifacts/")):
            return not ignored(name)
        parts = name.split("/")
        if len(parts) == 3 and parts[2] in RESERVED_NAMES:
            return False
        return include_artifacts or any(
            path.startswith(f"{name}/") or f"{name}/".startswith(f"{path}/") for path in inputs
        )

    return travels


def _arrives(root: Path, wanted: Callable[[str], bool]) -> Callable[[str], bool]:
    """Return whether the worker finds a file that it looks for by name: not what a link takes from elsewhere."""

    def arrives(name: str) -> bool:
        inside = Path(os.path.realpath(root / name)).is_relative_to(os.path.realpath(root))
        parents = [str(parent) for parent in PurePosixPath(name).parents][:-1]
        return inside and all(map(wanted, (*parents, name)))

    return arrives


def _inputs_among_artifacts(job: Job, ident: str) -> tuple[str, ...]:
    """Return what callers place among the artifacts of a job before it runs."""
    artifacts = f"artifacts/{check_ident(ident)}"
    return f"{artifacts}/{job.fact_cache or 'fact_cache'}", f"{artifacts}/{CERTIFICATE_NAME}"
