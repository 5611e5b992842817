"""What a job carries in its options is placed where ansible reads it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.execution.input_files import write_input_files
from receptor_runner.job import Job


def place(directory: Path, **options: Any) -> Job:
    return write_input_files(Job.from_kwargs(options), directory)


@pytest.mark.parametrize("play", [{"hosts": "all"}, [{"hosts": "all"}]])
def test_a_playbook_in_the_job_becomes_a_file(tmp_path: Path, play: Any) -> None:
    """Plays given as data are written to the project, readable by the owner only."""
    (tmp_path / "project").mkdir()
    path = tmp_path / "project" / "main.json"
    assert place(tmp_path, playbook=play).playbook == str(path)
    assert json.loads(path.read_text()) == [{"hosts": "all"}]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_role_becomes_a_play(tmp_path: Path) -> None:
    """A role is run by a play of its own, and is looked for in the private data dir as well."""
    job = place(tmp_path, role="r", role_vars={"a": 1}, role_skip_facts=True, hosts="web", roles_path="/x")
    play = json.loads((tmp_path / "main.json").read_text())
    assert play == [{"hosts": "web", "roles": [{"name": "r", "vars": {"a": 1}}], "gather_facts": False}]
    assert (job.role, job.roles_path) == (None, None)
    assert job.envvars == {"ANSIBLE_ROLES_PATH": f"{tmp_path}/roles:/x"}


def test_a_generated_playbook_is_found_beside_another_project(tmp_path: Path) -> None:
    """A play lands in a project_dir inside; a shipped main.json is found although project_dir lies elsewhere."""
    inside, outside = tmp_path / "job" / "flat", tmp_path / "outside"
    job = place(tmp_path / "job", playbook={"hosts": "all"}, project_dir=str(inside))
    assert job.playbook == str(inside / "main.json")
    assert (inside / "main.json").exists()
    outside.mkdir()
    job = place(tmp_path / "job", playbook={"hosts": "all"}, project_dir=str(outside))
    assert not list(outside.iterdir())
    shipped = str(tmp_path / "job" / "project" / "main.json")
    assert job.playbook == shipped
    assert place(tmp_path / "job", playbook="main.json", project_dir=str(outside)).playbook == shipped


def test_the_shipped_inventory_is_the_default(tmp_path: Path) -> None:
    """Without an inventory in the job, the directory that came with it is used; an empty list means none."""
    assert place(tmp_path).inventory == []
    (tmp_path / "inventory").mkdir()
    assert place(tmp_path).inventory == [f"{tmp_path}/inventory"]
    assert place(tmp_path, inventory=[]).inventory == []


def test_inventories_are_named_from_the_private_data_dir(tmp_path: Path) -> None:
    """Each relative path of an inventory that exists is made absolute; host lists and other paths stay."""
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "a").touch()
    given = ["inventory/a", "a", "h1,h2", "/not/here"]
    inside = f"{tmp_path}/inventory/a"
    assert place(tmp_path, inventory=given).inventory == [inside, inside, "h1,h2", "/not/here"]


def test_an_inventory_in_the_job_becomes_a_file(tmp_path: Path) -> None:
    """An inventory given as data or as text is written below inventory/."""
    data = {"all": {"hosts": {"h": None}}}
    assert place(tmp_path, inventory=data).inventory == [f"{tmp_path}/inventory/hosts.json"]
    assert json.loads((tmp_path / "inventory" / "hosts.json").read_text()) == data
    assert place(tmp_path, inventory="[web]\nh1").inventory == [f"{tmp_path}/inventory/hosts"]
    assert (tmp_path / "inventory" / "hosts").read_text() == "[web]\nh1\n"


def test_a_missing_absolute_inventory_is_not_taken_for_text(tmp_path: Path) -> None:
    """A path that does not exist here is ansible's to complain about; shipped files stay as they are."""
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "hosts").write_text("keep")
    assert place(tmp_path, inventory="/gone/hosts").inventory == ["/gone/hosts"]
    assert (tmp_path / "inventory" / "hosts").read_text() == "keep"


def test_extra_variables_go_to_a_file_unless_files_are_unwanted(tmp_path: Path) -> None:
    """Extra variables are kept off the command line, where every user of the machine could read them."""
    assert place(tmp_path, extravars={"a": 1}, suppress_env_files=True).extravars == {"a": 1}
    assert place(tmp_path, extravars={"a": 1}).extravars is None
    assert json.loads((tmp_path / "env" / "extravars").read_text()) == {"a": 1}
