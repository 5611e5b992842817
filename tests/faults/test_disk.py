"""Full disks and damaged files: a named error, and completion once that is mended."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from receptor_runner.errors import MissingInput
from receptor_runner.receptor.jobs.record import Record, RecordFile, read_all
from tests.faults.conftest import Lab
from tests.harness import contents, finish, wait_until

MountSmall = Callable[[Path, int], None]


@pytest.fixture
def mount_small(short_dir: Path) -> Iterator[MountSmall]:
    """Mount small file systems in memory; the test is skipped where that is not allowed."""
    mounted: list[Path] = []

    def mount(path: Path, size: int) -> None:
        path.mkdir(parents=True, exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(path)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"mounting a tmpfs is not allowed here: {done.stderr.strip()}")
        mounted.append(path)

    yield mount
    for path in mounted:
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_client_disk_full(mount_small: MountSmall, lab: Lab) -> None:
    """A full disk of the client: exit 74 with the way back; `attach` completes once there is space."""
    mount_small(lab.project.path / "artifacts", 1 << 20)
    lab.grow_artifacts(400_000)
    ballast = lab.project.path / "artifacts" / "ballast"
    client = lab.start("run", "-q")
    lab.await_output()
    ballast.write_bytes(b"x" * 600_000)
    lab.open()
    full = finish(client)
    assert full.rc == 74, full.stderr
    assert "No space left on device" in full.stderr
    assert f"receptor-runner attach {lab.project.path} -i job" in full.stderr
    ballast.unlink()
    wanted = lab.undisturbed(lab.record["unit_id"])
    attached = lab.ask("attach", "-q")
    assert (attached.rc, lab.runs) == (0, 1), attached.stderr
    assert contents(lab.artifacts) == wanted


def test_client_disk_full_before_the_submit(mount_small: MountSmall, lab: Lab) -> None:
    """A disk that is full before the record is written: exit 74, and the node was never asked for a unit."""
    mount_small(lab.project.path / "artifacts", 64 << 10)
    (lab.project.path / "artifacts" / "ballast").write_bytes(b"x" * (56 << 10))
    (lab.project.path / "artifacts" / "job").mkdir()
    full = lab.ask("run")
    if full.rc == 0:
        pytest.skip("this file system keeps room for small files")
    assert full.rc == 74, full.stderr
    assert lab.control.units() == {}
    (lab.project.path / "artifacts" / "ballast").unlink()


@pytest.fixture
def small_node(mount_small: MountSmall, lab: Lab) -> Lab:
    """A laboratory whose node has a disk of one mebibyte."""
    lab.node.kill()
    mount_small(lab.node.datadir, 1 << 20)
    lab.node.start()
    return lab


def test_node_disk_full_for_the_payload(small_node: Lab) -> None:
    """A node that cannot keep the payload: exit 69 in its words, nothing ran, and no unit is left."""
    lab = small_node
    lab.project.write("project/big", "".join(f"{number * 7919:x}" for number in range(400_000)))
    refused = lab.ask("run")
    assert refused.rc == 69, refused.stderr
    assert "no space left on device" in refused.stderr.lower()
    assert lab.runs == 0
    assert lab.control.units() == {}
    (lab.project.path / "project" / "big").unlink()
    lab.open()
    assert lab.ask("run").rc == 0


def test_node_disk_full_for_the_output(small_node: Lab) -> None:
    """A node that cannot keep the output: a named error in bounded time, with the unit's Detail."""
    lab = small_node
    lab.grow_artifacts(3_000_000)
    lab.open()
    ran = lab.ask("run", "-q", "--results-timeout", "2")
    assert ran.rc in {65, 75}, ran.stderr
    assert "exit status" in ran.stderr or "ended" in ran.stderr
    assert lab.control.units() == {}
    assert lab.runs == 1


def broken_off(lab: Lab, text: bytes = b"before") -> str:
    """Run a job, kill its client once a text is here, and let it end; return its unit."""
    client = lab.start("run", "-q")
    lab.await_output(text)
    wait_until(lambda: lab.record["checkpoint"]["stdout_size"] != 0, "a checkpoint")
    client.kill()
    client.wait(10)
    lab.open()
    return str(lab.record["unit_id"])


def test_shortened_stdout(lab: Lab) -> None:
    """A `stdout` that is shorter than the checkpoint says: the results are taken from their beginning."""
    wanted = lab.undisturbed(broken_off(lab))
    (lab.artifacts / "stdout").write_bytes(b"b")
    attached = lab.ask("attach")
    assert attached.rc == 0, attached.stderr
    assert contents(lab.artifacts) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("change", ["missing", "shortened"])
def test_damaged_spool(lab: Lab, change: str) -> None:
    """An archive's half that is missing or shorter than the checkpoint says is fetched again."""
    lab.grow_artifacts(3_000_000)
    lab.open()
    gateway = lab.gateway()
    hold = gateway.hold(b'"zipfile"', upwards=False, after=2_000_000)
    client = lab.start("run", "-q")
    assert hold.reached.wait(30)
    wait_until(lambda: lab.record["checkpoint"]["position"]["archive_received"] > 100_000, "a checkpoint")
    client.kill()
    client.wait(10)
    gateway.open()
    spool = lab.artifacts / "archive.part"
    if change == "missing":
        spool.unlink()
    else:
        spool.write_bytes(b"PK")
    wanted = lab.undisturbed(lab.record["unit_id"])
    assert lab.ask("attach", "-q").rc == 0
    assert contents(lab.artifacts) == wanted


@pytest.mark.parametrize("content", [b"", b'{"schema": 1, "ident": "job"', b"[]", b'{"schema": 1}'])
def test_damaged_records(tmp_path: Path, content: bytes) -> None:
    """Whatever is no record is told with its path, and does not hide the records of other jobs."""
    whole = RecordFile(tmp_path, "whole")
    record = Record(ident="whole", digest="", socket="s", node_directory=None, node="n", work_type="w")
    whole.write(record)
    damaged = RecordFile(tmp_path, "damaged")
    damaged.artifact_dir.mkdir()
    (damaged.artifact_dir / "unit.json").write_bytes(content)
    with pytest.raises(MissingInput, match=r"damaged/unit\.json cannot be read"):
        damaged.read()
    assert [found.record.ident for found in read_all(tmp_path)] == ["whole"]


def test_damaged_record(lab: Lab) -> None:
    """With a record that cannot be read every command is 66; with the record back, the job is attached to."""
    lab.ask("submit")
    lab.await_job()
    kept = (lab.artifacts / "unit.json").read_bytes()
    (lab.artifacts / "unit.json").write_bytes(kept[:100])
    for command in ("attach", "cancel", "release", "run"):
        refused = lab.ask(command)
        assert refused.rc == 66, refused.stderr
        assert "unit.json cannot be read" in refused.stderr
    (lab.artifacts / "unit.json").write_bytes(kept)
    lab.open()
    assert lab.ask("attach").rc == 0
    assert lab.runs == 1


@pytest.mark.slow
def test_missing_record(lab: Lab) -> None:
    """Without its record a job is not known: 66, and its artifacts keep its ident from being used by accident."""
    unit = broken_off(lab)
    kept = (lab.artifacts / "unit.json").read_bytes()
    (lab.artifacts / "unit.json").unlink()
    assert lab.ask("attach").rc == 66
    assert lab.ask("run").rc == 73
    (lab.artifacts / "unit.json").write_bytes(kept)
    assert json.loads(kept)["unit_id"] == unit
    assert lab.ask("attach").rc == 0
    assert lab.runs == 1


@pytest.mark.slow
def test_half_written_record(lab: Lab) -> None:
    """What a client that was killed in the middle of writing its record leaves is swept away."""
    broken_off(lab)
    (lab.artifacts / ".unit.json.12345.tmp").write_bytes(b"{")
    assert lab.ask("attach").rc == 0
    assert not list(lab.artifacts.glob(".*"))
