"""Workers with an execution environment: real daemons, real containers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.harness import Client, Commands, Project
from tests.harness.containers import IMAGE, PodmanStore, podman_store, session_store
from tests.mesh.conftest import Mesh, start_meshes

__all__ = ["podman_store", "session_store"]

pytestmark = [pytest.mark.receptor, pytest.mark.slow]

MESH = f"""
tls: false
signed: false
execution_environment: {{image: "{IMAGE}"}}
nodes:
  control: {{role: control}}
  worker: {{role: worker, peers: [control]}}
"""


def test_jobs_run_in_the_container_of_the_worker(
    podman_store: PodmanStore, make_mesh: Callable[..., Mesh], commands: Commands, project: Project
) -> None:
    """A job that says nothing runs in the container, one that says so on the worker itself."""
    mesh = make_mesh(MESH)
    start_meshes(mesh)
    project.playbook("- debug: msg='in {{ playbook_dir }}'")
    client = Client(commands, project, mesh.control.socket)

    for ident, words, is_inside in (("job", [], True), ("other", ["--no-process-isolation"], False)):
        done = client.ask("run", "-p", "test.yml", "-i", ident, "--node", "worker", *words)
        assert done.rc == 0, done.stderr
        assert ("in /runner/project" in client.read("stdout", ident)) is is_inside
    assert podman_store.containers() == []
