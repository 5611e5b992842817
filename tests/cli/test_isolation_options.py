"""The options that isolate a job, and what is said of those that do nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.harness import Commands, Project


def sent(commands: Commands, project: Project, *words: str) -> tuple[dict[str, Any], str]:
    """Return the options that `transmit` sends, and what it says on stderr."""
    done = commands.ours("transmit", project.path, "-p", "test.yml", *words)
    assert done.rc == 0, done.stderr
    kwargs: dict[str, Any] = json.loads(done.stdout.splitlines()[0])["kwargs"]
    return kwargs, done.stderr


def test_the_options_become_the_keys_of_the_job(commands: Commands, project: Project) -> None:
    """Each option of isolation travels under ansible-runner's name; repeated ones are lists."""
    words = (
        "--process-isolation --process-isolation-executable podman --container-image q.io/ee --container-volume-mount "
        "/a:/b --container-volume-mount /c:/d:ro --container-option=--network=host --process-isolation-hide-paths /e "
        "--process-isolation-show-paths /f --process-isolation-ro-paths /g"
    )
    kwargs, said = sent(commands, project, *words.split())
    kwargs.pop("ident")
    assert kwargs == {
        "playbook": "test.yml",
        "process_isolation": True,
        "process_isolation_executable": "podman",
        "container_image": "q.io/ee",
        "container_volume_mounts": ["/a:/b", "/c:/d:ro"],
        "container_options": ["--network=host"],
        "process_isolation_hide_paths": ["/e"],
        "process_isolation_show_paths": ["/f"],
        "process_isolation_ro_paths": ["/g"],
    }
    assert said == ""


def test_an_image_alone_is_warned_about(commands: Commands, project: Project) -> None:
    """An image without isolation means nothing, as with ansible-runner; but here somebody says so."""
    kwargs, said = sent(commands, project, "--container-image", "q.io/ee")
    assert kwargs["container_image"] == "q.io/ee"
    assert said == (
        "warning: container_image: no effect without process_isolation; the job runs on the node itself\n"
    )


@pytest.mark.parametrize("isolated", [True, False])
def test_the_settings_of_the_directory_count(commands: Commands, project: Project, isolated: bool) -> None:
    """Isolation that env/settings ask for gives the image its meaning."""
    project.write("env/settings", f"process_isolation: {str(isolated).lower()}\n")
    said = sent(commands, project, "--container-image", "q.io/ee")[1]
    assert ("no effect" in said) is not isolated
