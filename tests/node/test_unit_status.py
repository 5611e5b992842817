"""The status file: what is in it, and that its writers do not lose each other's changes."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receptor_runner.node.unit_status import (
    StatusFile,
    StatusUnreadable,
    StoredUnitState,
    StoredUnitStatus,
    decode_status,
    encode_json,
    measure_stdout,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def status_file(tmp_path: Path) -> StatusFile:
    """A unit's status file, Pending."""
    file = StatusFile(str(tmp_path))
    file.create(StoredUnitStatus(work_type="cat", extra_data={"Pid": 0, "Params": "a"}))
    return file


def test_file_is_one_line_in_the_daemons_order(status_file: StatusFile, tmp_path: Path) -> None:
    """The file holds one line with the five keys, and stays readable to its owner only."""
    status_file.update(state=StoredUnitState.RUNNING, detail="Running: PID 7", stdout_size=3)
    assert (tmp_path / "status").read_text() == (
        '{"State":1,"Detail":"Running: PID 7","StdoutSize":3,"WorkType":"cat",'
        '"ExtraData":{"Pid":0,"Params":"a"}}\n'
    )
    assert (tmp_path / "status").stat().st_mode & 0o777 == 0o600


def test_shorter_status_leaves_no_rest(status_file: StatusFile, tmp_path: Path) -> None:
    """A status that is shorter than the one before is cut to its length."""
    status_file.update(detail="x" * 1000)
    status_file.update(detail="y", extra_data=None)
    assert (tmp_path / "status").read_text().count("\n") == 1
    assert status_file.read().detail == "y"
    assert status_file.read().extra_data is None


def test_update_is_refused_by_its_condition(status_file: StatusFile) -> None:
    """A change whose condition does not hold changes nothing."""
    assert status_file.update(detail="no", only_if=lambda status: status.state.complete) is None
    assert status_file.read().detail == "Unit Created"


def test_concurrent_changes_are_all_kept(status_file: StatusFile) -> None:
    """Writers take turns: of four threads that add to the same text, no addition is lost."""

    def add_hundred() -> None:
        for _ in range(100):
            while not _add_one(status_file):
                pass

    threads = [threading.Thread(target=add_hundred) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert status_file.read().detail == "+" * 400


def _add_one(status_file: StatusFile) -> bool:
    before = status_file.read().detail
    after = "+" if before == "Unit Created" else f"{before}+"
    return status_file.update(detail=after, only_if=lambda status: status.detail == before) is not None


def test_lock_is_the_daemons(status_file: StatusFile, tmp_path: Path) -> None:
    """While somebody holds the flock on status.lock, a change waits."""
    changed = threading.Thread(target=lambda: status_file.update(detail="late"))
    fd = os.open(tmp_path / "status.lock", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    changed.start()
    changed.join(0.2)
    assert json.loads((tmp_path / "status").read_text())["Detail"] == "Unit Created"
    os.close(fd)
    changed.join()
    assert status_file.read().detail == "late"


def test_unit_that_is_gone_is_told_apart(tmp_path: Path) -> None:
    """A unit without a status is not found, one with a damaged status is unreadable."""
    with pytest.raises(FileNotFoundError):
        StatusFile(str(tmp_path)).read()
    (tmp_path / "status").write_text("{")
    with pytest.raises(StatusUnreadable):
        StatusFile(str(tmp_path)).read()
    with pytest.raises(StatusUnreadable, match="unexpected end of JSON input"):
        decode_status(b"\n")


@given(st.binary())
def test_any_bytes_are_a_status_or_unreadable(line: bytes) -> None:
    """Whatever a crash left behind is a status or a named error."""
    try:
        decode_status(line)
    except StatusUnreadable:
        return


@given(st.text(), st.integers(0, 2**62), st.sampled_from(StoredUnitState))
def test_status_comes_back(detail: str, size: int, state: StoredUnitState) -> None:
    """A status read back is the one written (characters that UTF-8 cannot carry aside)."""
    status = StoredUnitStatus(
        state=state, detail=detail, stdout_size=size, work_type="w", extra_data={"Pid": 1}
    )
    found = decode_status(encode_json(status.as_dict()) + b"\n")
    assert found.as_dict() == {**status.as_dict(), "Detail": detail.encode("utf-8", "replace").decode()}


def test_json_is_escaped_as_by_the_daemon() -> None:
    """The characters that HTML minds are escaped, others are not."""
    assert encode_json({"a": "<&>\u2028\u00e9\n"}) == '{"a":"\\u003c\\u0026\\u003e\\u2028\u00e9\\n"}'.encode()


def test_stdout_is_measured(tmp_path: Path) -> None:
    """The size is that of the file, and nothing before there is one."""
    assert measure_stdout(str(tmp_path)) == 0
    (tmp_path / "stdout").write_bytes(b"12345")
    assert measure_stdout(str(tmp_path)) == 5
