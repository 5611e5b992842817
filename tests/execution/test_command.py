"""The command line, environment and working directory of a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from receptor_runner.env_files import EnvFiles
from receptor_runner.errors import ConfigError
from receptor_runner.execution.command import (
    CALLBACK_DIRECTORY,
    build_command,
    build_cwd,
    build_env,
    check_target,
)
from receptor_runner.execution.input_files import write_input_files
from receptor_runner.job import Job
from receptor_runner.job_inputs import Inputs, read_inputs


def inputs(directory: Path, **options: Any) -> Inputs:
    return read_inputs(write_input_files(Job.from_kwargs(options), directory), EnvFiles(root=directory))


def command(directory: Path, **options: Any) -> list[str]:
    return list(build_command(inputs(directory, **options), directory))


def test_parts_stand_in_the_order_of_ansible_runner(tmp_path: Path) -> None:
    """Each option has its place: cmdline, inventories, limit, extra vars, verbosity, tags, forks, playbook."""
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "extravars").write_text("a: 1")
    built = command(
        tmp_path,
        playbook="site.yml",
        cmdline="--diff --user 'a b'",
        inventory=["h1,", "h2,"],
        limit="h1",
        extravars={"b": "x y", "c": [1, 2]},
        verbosity=3,
        tags="t1",
        skip_tags="t2",
        forks=7,
    )
    assert built == [
        "ansible-playbook", "--diff", "--user", "a b", "-i", "h1,", "-i", "h2,", "--limit", "h1",
        "-e", f"@{tmp_path}/env/extravars", "-e", '{"b":"x y","c":[1, 2]}', "-vvv",
        "--tags", "t1", "--skip-tags", "t2", "--forks", "7", "site.yml",
    ]  # fmt: skip


def test_a_module_runs_by_ansible(tmp_path: Path) -> None:
    """An ad-hoc command names the module, its arguments and then the hosts."""
    built = command(tmp_path, module="setup", module_args="filter=x", host_pattern="web")
    assert built == ["ansible", "-m", "setup", "-a", "filter=x", "web"]


def test_a_binary_gets_the_options_but_no_target(tmp_path: Path) -> None:
    """A raw command takes what the options say, and nothing to run behind them."""
    assert command(tmp_path, binary="ls", cmdline="-l /", playbook="x.yml") == ["ls", "-l", "/"]


def test_the_file_args_is_the_whole_command(tmp_path: Path) -> None:
    """Where the private data dir has a file `args`, it is the command line, and nothing is added."""
    (tmp_path / "args").write_text("ansible-playbook -i 'x y' z.yml\n")
    assert command(tmp_path, playbook="other.yml") == ["ansible-playbook", "-i", "x y", "z.yml"]


def test_an_extravars_file_is_named_from_the_private_data_dir(tmp_path: Path) -> None:
    """Extra variables given as the name of a file become `-e @` and its path; other text stays as it is."""
    (tmp_path / "vars.yml").write_text("a: 1")
    assert command(tmp_path, playbook="p", extravars="vars.yml") == [
        "ansible-playbook", "-e", f"@{tmp_path}/vars.yml", "p",
    ]  # fmt: skip
    assert command(tmp_path, playbook="p", extravars="a=1") == ["ansible-playbook", "-e", "a=1", "p"]


@pytest.mark.parametrize("options", [{"module": "ping", "playbook": "x"}, {}])
def test_a_job_says_one_thing_to_run(tmp_path: Path, options: dict[str, Any]) -> None:
    """Nothing to run, or two things, cannot be run."""
    with pytest.raises(ConfigError):
        check_target(inputs(tmp_path, **options))


def test_the_hosts_of_a_module_may_be_in_the_cmdline(tmp_path: Path) -> None:
    """A module without a host pattern is run as it is, for the cmdline may name the hosts, as AWX has it."""
    built = command(tmp_path, module="ping", cmdline="all")
    assert built == ["ansible", "all", "-m", "ping"]


def test_the_environment_names_our_callback_and_keeps_the_users(tmp_path: Path) -> None:
    """Our callback becomes the stdout callback; the user's is handed to it, and the user's paths stay."""
    given = inputs(tmp_path, playbook="x", envvars={"ANSIBLE_STDOUT_CALLBACK": "tree", "N": 5})
    env = build_env(given, tmp_path, tmp_path / "artifacts" / "1", {"ANSIBLE_CALLBACK_PLUGINS": "/mine"})
    assert env["ANSIBLE_STDOUT_CALLBACK"] == "receptor_runner_events"
    assert env["ORIGINAL_STDOUT_CALLBACK"] == "tree"
    assert env["ANSIBLE_CALLBACK_PLUGINS"] == f"/mine:{CALLBACK_DIRECTORY}"
    assert env["ANSIBLE_CACHE_PLUGIN_CONNECTION"] == f"{tmp_path}/artifacts/1/fact_cache"
    assert env["N"] == "5"


def test_a_roles_path_beside_the_archive_is_relative_to_what_was_packed(tmp_path: Path) -> None:
    """A relative ANSIBLE_ROLES_PATH of the job lies below the private data dir's roles; an absolute one stays."""
    given = inputs(tmp_path, playbook="x", envvars={"ANSIBLE_ROLES_PATH": "more:/abs"})
    env = build_env(given, tmp_path, tmp_path, {})
    assert env["ANSIBLE_ROLES_PATH"] == f"{tmp_path}/roles/more:/abs"


def test_the_roles_path_option_wins(tmp_path: Path) -> None:
    """The option roles_path, a list, is joined and takes the place of the environment variable."""
    given = inputs(tmp_path, playbook="x", roles_path=["/a", "/b"], envvars={"ANSIBLE_ROLES_PATH": "/c"})
    assert build_env(given, tmp_path, tmp_path, {})["ANSIBLE_ROLES_PATH"] == "/a:/b"


def test_playbooks_run_in_the_project_and_modules_beside_it(tmp_path: Path) -> None:
    """The working directory is the project, or the private data dir for modules and where there is no project."""
    given = inputs(tmp_path, playbook="x")
    assert build_cwd(given, {}, tmp_path) == tmp_path
    (tmp_path / "project").mkdir()
    assert build_cwd(given, {}, tmp_path) == tmp_path / "project"
    assert build_cwd(given, {"AD_HOC_COMMAND_ID": "1"}, tmp_path) == tmp_path
