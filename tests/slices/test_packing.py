"""All slices are sent from one archive, side by side, each with its own ident and limit."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from receptor_runner.job import Job
from receptor_runner.slices.index import Index
from receptor_runner.slices.packing import SharedShipment, limit_files
from receptor_runner.transmit import prepare
from tests.harness import Project

INDEX = Index.planned("job", "site.yml", [("a", "b"), ("c",)], with_localhost=True)


@pytest.fixture
def shared(project: Project) -> Iterator[SharedShipment]:
    """A packed project of some megabytes with two slices."""
    noise = random.Random(1).randbytes(3_000_000).hex()
    project.write("project/files/noise", noise)
    job = Job(ident="job", playbook="test.yml", limit="all", rotate_artifacts=3)
    files = limit_files(INDEX.slices, "project", with_localhost=True)
    made = SharedShipment(prepare(job, project.path, idents=["job-slice-1", "job-slice-2"], extra=files))
    yield made
    made.close()


def test_a_slice_has_its_own_options(shared: SharedShipment) -> None:
    """Ident and limit are those of the slice, and slices do not rotate each other's artifacts."""
    jobs = [shared.of(entry).job for entry in INDEX.slices]
    assert [(job.ident, job.limit, job.rotate_artifacts) for job in jobs] == [
        ("job-slice-1", "@.slices/1", None),
        ("job-slice-2", "@.slices/2", None),
    ]


def test_the_archive_has_the_limit_files(shared: SharedShipment) -> None:
    """The files of all slices are where Ansible runs."""
    archive = shared.of(INDEX.slices[0]).archive
    assert archive is not None
    with zipfile.ZipFile(io.BytesIO(b"".join(archive.chunks()))) as packed:
        assert packed.read("project/.slices/1") == b"a\nb\nlocalhost\n"
        assert packed.read("project/.slices/2") == b"c\nlocalhost\n"


def test_many_read_the_archive_at_once(shared: SharedShipment) -> None:
    """Uploads side by side each send all of it, and digests of the same slice are the same meanwhile."""
    shipments = [shared.of(INDEX.slices[number % 2]) for number in range(16)]

    def send(number: int) -> tuple[bytes, str]:
        shipment = shipments[number]
        assert shipment.archive is not None
        return b"".join(shipment.archive.chunks()), shipment.digest()

    with ThreadPoolExecutor(16) as pool:
        sent = list(pool.map(send, range(16)))
    assert len({archive for archive, _digest in sent}) == 1
    assert [digest for _archive, digest in sent] == [sent[0][1], sent[1][1]] * 8
    assert sent[0][1] != sent[1][1]
