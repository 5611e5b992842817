"""What a command line of ansible-playbook or ansible comes to on a node."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from receptor_runner.errors import ConfigError, MissingInput, UsageError

if TYPE_CHECKING:
    from tests.ansible_cli.conftest import Repository

PLAY = "ansible-playbook"


def words(cmdline: str | None) -> list[str]:
    """Split the further words of a job."""
    return shlex.split(cmdline or "")


def test_paths_in_the_repository_stay_as_they_are(repository: Repository) -> None:
    """The node runs in a copy of the repository, so its own paths mean the same there."""
    plan = repository.plan(PLAY, "-i", "inventory.ini", "-e", "a=1", "-b", "-l", "web", "site.yml")
    assert plan.job.playbook == "site.yml"
    assert words(plan.job.cmdline) == [
        "--inventory", "inventory.ini", "--extra-vars", "a=1", "--become", "--limit", "web",
    ]  # fmt: skip
    assert plan.project.root == repository.root
    assert not plan.outside.trees
    assert not plan.files


def test_a_subdirectory_is_the_working_directory_on_the_node_too(repository: Repository) -> None:
    """The whole repository travels, and Ansible runs in the same directory of it as here."""
    repository.write("plays/deploy.yml", "[]")
    plan = repository.plan(PLAY, "-i", "../inventory.ini", "deploy.yml", cwd=repository.root / "plays")
    assert plan.job.project_dir == "project/plays"
    assert words(plan.job.cmdline) == ["--inventory", "../inventory.ini"]


def test_files_outside_travel_to_a_place_of_their_own(repository: Repository, tmp_path: Path) -> None:
    """Inventory, its variables, and vars files from elsewhere are found on the node."""
    inventory = repository.write(f"{tmp_path}/elsewhere/hosts", "web1\n")
    repository.write(f"{tmp_path}/elsewhere/group_vars/all.yml", "a: 1\n")
    variables = repository.write(f"{tmp_path}/vars.yml", "b: 2\n")
    plan = repository.plan(PLAY, "-i", str(inventory), "-e", f"@{variables}", "site.yml")
    assert words(plan.job.cmdline) == [
        "--inventory", "../outside/0/hosts", "--extra-vars", "@../outside/2/vars.yml",
    ]  # fmt: skip
    assert plan.outside.trees == {
        "outside/0/hosts": inventory,
        "outside/0/group_vars": inventory.parent / "group_vars",
        "outside/2/vars.yml": variables,
    }


def test_a_playbook_outside_travels_with_its_own_project(repository: Repository, tmp_path: Path) -> None:
    """Its roles and variables are beside it on the node as they are here."""
    playbook = repository.write(f"{tmp_path}/other/site.yml", "[]")
    plan = repository.plan(PLAY, str(playbook))
    assert plan.job.playbook == "../outside/0/other/site.yml"
    assert plan.outside.trees == {"outside/0/other": playbook.parent}


def test_several_playbooks_run_in_order(repository: Repository) -> None:
    """All but the last stand in the command line, right before it."""
    repository.write("first.yml", "[]")
    plan = repository.plan(PLAY, "-v", "first.yml", "site.yml")
    assert words(plan.job.cmdline) == ["-v", "first.yml"]
    assert plan.job.playbook == "site.yml"


def test_a_playbook_of_a_collection_is_passed_on(repository: Repository) -> None:
    """It is no file; the node finds it among its collections."""
    assert repository.plan(PLAY, "my.collection.site").job.playbook == "my.collection.site"


@pytest.mark.parametrize(
    ("given", "what", "near"),
    [
        (["sitee.yml"], "playbook sitee.yml", "site.yml"),
        (["-i", "inventry.ini", "site.yml"], "inventory inventry.ini", "inventory.ini"),
        (["-e", "@vars.yml", "site.yml"], "variables file vars.yml", None),
        (["--private-key", "id", "site.yml"], "private key id", None),
    ],
)
def test_a_missing_file_is_said_before_the_upload(
    repository: Repository, given: list[str], what: str, near: str | None
) -> None:
    """The error names it, with the nearest name there is."""
    with pytest.raises(MissingInput) as failed:
        repository.plan(PLAY, *given)
    assert failed.value.what == f"{what} does not exist"
    if near:
        assert near in (failed.value.hint or "")


@pytest.mark.parametrize("option", ["--step"])
def test_what_needs_a_terminal_is_refused(repository: Repository, option: str) -> None:
    """A node has nobody who could confirm each task."""
    with pytest.raises(UsageError, match="makes no sense on a node"):
        repository.plan(PLAY, option, "site.yml")


def test_ansible_cfg_of_the_current_directory_is_found_by_itself(repository: Repository) -> None:
    """It travels with the repository, to the directory in which Ansible runs."""
    repository.write("ansible.cfg", "[defaults]\ninventory = inventory.ini\nforks = 3\n")
    plan = repository.plan(PLAY, "site.yml")
    assert plan.job.envvars is None
    assert words(plan.job.cmdline) == ["-i", "inventory.ini"]


def test_ansible_cfg_of_the_home_directory_travels(repository: Repository) -> None:
    """What counts here counts on the node."""
    config = repository.write(f"{repository.environment['HOME']}/.ansible.cfg", "[defaults]\nforks = 3\n")
    plan = repository.plan(PLAY, "site.yml")
    assert plan.job.envvars == {"ANSIBLE_CONFIG": "../outside/0/.ansible.cfg"}
    assert plan.outside.trees == {"outside/0/.ansible.cfg": config}


def test_settings_that_a_worker_would_override_travel_as_variables(repository: Repository) -> None:
    """Output callback, callback plugins, host keys and fact cache are those of ansible.cfg."""
    (repository.root / "plugins").mkdir()
    repository.write(
        "ansible.cfg",
        "[defaults]\nstdout_callback = oneline\ncallback_plugins = ./plugins:/nowhere\n"
        "host_key_checking = True\nfact_caching = memory\n",
    )
    job = repository.plan(PLAY, "site.yml").job
    assert job.envvars == {
        "ANSIBLE_STDOUT_CALLBACK": "oneline",
        "ANSIBLE_CALLBACK_PLUGINS": "plugins",
        "ANSIBLE_HOST_KEY_CHECKING": "True",
    }
    assert job.fact_cache_type == ""


def test_a_key_of_ansible_cfg_may_be_on_the_node(repository: Repository) -> None:
    """A private key that is not here does not keep a job from running."""
    repository.write("ansible.cfg", "[defaults]\nprivate_key_file = ~/.ssh/of_the_node\n")
    assert repository.plan(PLAY, "site.yml").job.ssh_key is None


def test_variables_of_ansible_travel(repository: Repository) -> None:
    """ANSIBLE_ variables count on the node; those that name places of this machine do not."""
    repository.environment |= {"ANSIBLE_FORKS": "7", "ANSIBLE_HOME": "/here", "OTHER": "x"}
    assert repository.plan(PLAY, "site.yml").job.envvars == {"ANSIBLE_FORKS": "7"}


def test_passwords_are_asked_here_and_travel_from_memory(repository: Repository) -> None:
    """Each question is asked once; the option is passed on, so Ansible asks there and is answered."""
    repository.somebody.answers = {
        "SSH password: ": "s",
        "BECOME password[defaults to SSH password]: ": "b",
        "Vault password: ": "v",
        "Vault password (dev): ": "d",
    }
    plan = repository.plan(PLAY, "-k", "-K", "-J", "--vault-id", "dev@prompt", "site.yml")
    assert sorted((plan.job.passwords or {}).values()) == ["b", "d", "s", "v"]
    assert words(plan.job.cmdline) == [
        "--ask-pass",
        "--ask-become-pass",
        "--ask-vault-password",
        "--vault-id",
        "dev@prompt",
    ]
    assert not repository.somebody.echoed


def test_ansible_cfg_may_ask_too(repository: Repository) -> None:
    """`become_ask_pass` of ansible.cfg asks here, as -K does."""
    repository.write("ansible.cfg", "[privilege_escalation]\nbecome_ask_pass = true\n")
    repository.somebody.answers = {"BECOME password: ": "b"}
    assert list((repository.plan(PLAY, "site.yml").job.passwords or {}).values()) == ["b"]


def test_a_vault_password_file_travels_from_memory(repository: Repository, tmp_path: Path) -> None:
    """Its content goes into the archive and nowhere else, readable by its owner only."""
    password = repository.write(f"{tmp_path}/vault.txt", "sesame\n")
    plan = repository.plan(PLAY, "--vault-password-file", str(password), "site.yml")
    assert words(plan.job.cmdline) == ["--vault-password-file", "../secrets/0-vault_password_file"]
    assert plan.files["secrets/0-vault_password_file"].content == b"sesame\n"
    assert plan.files["secrets/0-vault_password_file"].mode == 0o600


def test_a_vault_password_program_runs_here(repository: Repository) -> None:
    """Its output travels, not the program; one that is a client learns the identity."""
    repository.write("vault-client", '#!/bin/sh\necho "for $2"\n', 0o755)
    plan = repository.plan(PLAY, "--vault-id", "prod@vault-client", "site.yml")
    assert words(plan.job.cmdline) == ["--vault-id", "prod@../secrets/0-vault"]
    assert plan.files["secrets/0-vault"].content == b"for prod\n"


def test_a_vault_password_program_that_fails_is_an_error(repository: Repository) -> None:
    """Nothing is sent with an empty password."""
    repository.write("vault", "#!/bin/sh\nexit 3\n", 0o755)
    with pytest.raises(ConfigError, match="failed"):
        repository.plan(PLAY, "--vault-password-file", "vault", "site.yml")


def test_a_vault_password_of_ansible_cfg_travels(repository: Repository) -> None:
    """The node reads the same ansible.cfg; a variable tells it where the password is there."""
    repository.write("ansible.cfg", "[defaults]\nvault_password_file = .vault\n")
    repository.write(".vault", "sesame")
    plan = repository.plan(PLAY, "site.yml")
    assert plan.job.envvars == {"ANSIBLE_VAULT_PASSWORD_FILE": "../secrets/0-vault_password_file"}


def test_a_private_key_goes_to_the_agent(repository: Repository, tmp_path: Path) -> None:
    """It travels from memory, and its passphrase is asked for here."""
    key = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "open", "-f", str(key)], check=True)
    repository.somebody.answers = {f"Enter passphrase for {key}: ": "open"}
    plan = repository.plan(PLAY, "--private-key", str(key), "site.yml")
    assert plan.job.ssh_key == key.read_text()
    assert list((plan.job.passwords or {}).values()) == ["open"]
    assert plan.job.cmdline is None


def test_an_inventory_plugin_is_pointed_out(repository: Repository) -> None:
    """It runs on the node, where it lacks what this machine may log in with."""
    repository.write("aws_ec2.yml", "plugin: amazon.aws.aws_ec2\n")
    repository.plan(PLAY, "-i", "aws_ec2.yml", "site.yml")
    assert any("amazon.aws.aws_ec2 runs on the node" in line for line in repository.somebody.shown)


def test_adhoc_runs_from_the_private_data_directory(repository: Repository) -> None:
    """A worker runs modules there, so paths lead into the project, and its ansible.cfg is named."""
    repository.write("ansible.cfg", "[defaults]\nforks = 3\n")
    plan = repository.plan("ansible", "-m", "ping", "-i", "inventory.ini", "all")
    assert (plan.job.module, plan.job.module_args, plan.job.host_pattern) == ("ping", None, "all")
    assert words(plan.job.cmdline) == ["--inventory", "project/inventory.ini", "--playbook-dir", "project"]
    assert plan.job.envvars == {"ANSIBLE_CONFIG": "project/ansible.cfg"}


def test_adhoc_without_a_module_is_a_command(repository: Repository) -> None:
    """As with ansible."""
    plan = repository.plan("ansible", "-a", "uptime", "all")
    assert (plan.job.module, plan.job.module_args) == ("command", "uptime")
