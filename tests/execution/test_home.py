"""Jobs run although their user has no usable home directory."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest
from receptor_runner.execution.home import temporary_home
from tests.execution.conftest import Workplace


def test_a_job_without_a_home_gets_one_for_its_time(workplace: Workplace, tmp_path: Path) -> None:
    """Where HOME does not exist, ansible runs local tasks in a private home that is gone with the job."""
    name = workplace.playbook("- command: printenv HOME")
    ran = workplace.run(playbook=name, envvars={"HOME": str(tmp_path / "gone")})
    assert ran.outcome.rc == 0, ran.told.text
    home = Path(ran.told.named("runner_on_ok")[0]["event_data"]["res"]["stdout"])
    assert home != tmp_path / "gone"
    assert not home.exists()


def test_a_usable_home_is_kept(tmp_path: Path) -> None:
    """A home that can be written is used as it is, and so is one whose user sets Ansible's directories."""
    assert temporary_home({"HOME": str(tmp_path)}) is None
    assert temporary_home({"HOME": str(tmp_path / "gone"), "ANSIBLE_HOME": "/x"}) is None


def test_a_user_without_an_account_gets_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without HOME and without an entry in the user database there is still a home."""

    def unknown(user: int) -> None:
        raise KeyError(user)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    home = temporary_home({})
    assert home is not None
    assert home.stat().st_mode & 0o777 == 0o700
    home.rmdir()
