"""An execution node as AWX uses it: its own calls, through the real daemon, to a work-command that is ours.

The control side is ansible-runner and receptorctl, as AWX has them; only the node's work-command is receptor-runner.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner.interface
import pytest
import yaml
from receptorctl.socket_interface import ReceptorControl
from tests.harness import NodeFactory, Project, ServedNode, wait_until
from tests.harness.containers import IMAGE, PodmanStore, podman_store, session_store

__all__ = ["podman_store", "session_store"]

pytestmark = [pytest.mark.receptor, pytest.mark.slow]

OPTIONS = ["--user=root", "--network", "slirp4netns:enable_ipv6=true", "--pull=missing"]


@dataclass
class Awx:
    """What AWX does with a job: transmit, submit, process, release."""

    node: ServedNode
    directory: Path
    place: Path
    events: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def control(self) -> Iterator[Any]:
        """Provide a connection to the node."""
        with closing(ReceptorControl(str(self.node.socket))) as control:
            yield control

    def tell(self, command: str) -> None:
        """Give the node a simple command."""
        with self.control() as control:
            control.simple_command(command)

    def submit(self, **params: Any) -> str:
        """Send a job; return its unit."""
        ours, theirs = socket.socketpair()

        def transmit() -> None:
            with ours, ours.makefile("wb") as out:
                ansible_runner.interface.run(streamer="transmit", _output=out, **params)
                out.flush()
                ours.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=transmit)
        sender.start()
        with theirs, theirs.makefile("rb") as payload, self.control() as control:
            result = control.submit_work(
                worktype="receptor-runner",
                payload=payload,
                params={"params": f"--private-data-dir={self.place} --delete"},
            )
        sender.join()
        return str(result["unitid"])

    def process(self, unit: str, **params: Any) -> Any:
        """Follow a unit to its end, and release it."""
        with self.control() as control:
            results, file = control.get_work_results(unit, return_socket=True, return_sockfile=True)
        with results, file:
            runner = ansible_runner.interface.run(
                streamer="process",
                quiet=True,
                ignore_logging=True,
                _input=file,
                event_handler=self._take_event,
                status_handler=lambda status, runner_config: self.statuses.append(status),
                **params,
            )
        self.tell(f"work release {unit}")
        return runner

    def _take_event(self, event: dict[str, Any]) -> bool:
        self.events.append(event)
        return True

    def command(self, params: str) -> str:
        """Run a command of the node's worker, such as its health check; return what it prints."""
        with self.control() as control:
            unit = control.submit_work("receptor-runner", "", params={"params": params})["unitid"]
        with self.control() as control:
            results, file = control.get_work_results(unit, return_socket=True, return_sockfile=True)
        with results, file:
            text = file.read().decode()
        self.tell(f"work release {unit}")
        return str(text)


@pytest.fixture
def awx(
    node_factory: NodeFactory, environment: dict[str, str], podman_store: PodmanStore, short_dir: Path
) -> Iterator[Awx]:
    """AWX with one execution node."""
    environment.update(podman_store.environment)
    made = Awx(node_factory("receptor"), short_dir / "control", short_dir / "awx_42_x")
    yield made
    wait_until(lambda: not made.place.exists(), "the private data dir on the node is gone")


def job(project: Project, **more: Any) -> dict[str, Any]:
    """Return the parameters of a job as AWX makes them."""
    settings = {
        "job_timeout": 0,
        "suppress_ansible_output": True,
        "suppress_output_file": True,
        "idle_timeout": 0,
    }
    project.write("env/settings", json.dumps(settings))
    (project.path / "cp").mkdir(exist_ok=True)
    return {
        "ident": 42,
        "private_data_dir": str(project.path),
        "playbook": "test.yml",
        "inventory": str(project.path / "inventory"),
        "passwords": {"^SSH password:\\s*?$": "never asked"},
        "suppress_env_files": True,
        "envvars": {"JOB_ID": "42", "ANSIBLE_SSH_CONTROL_PATH_DIR": "/runner/cp", "AWX_TOKEN": "hunter2"},
        "process_isolation": True,
        "process_isolation_executable": "podman",
        "container_image": IMAGE,
        "container_options": OPTIONS,
        **more,
    }


def test_a_job_template_runs_in_its_execution_environment(
    awx: Awx, project: Project, podman_store: PodmanStore, tmp_path: Path
) -> None:
    """The events, statuses, artifacts and return code of a job are there; its container and directory are not."""
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown" / "file").write_text("seen")
    project.playbook(
        "- debug: {msg: \"{{ lookup('file', '/shown/file') }} {{ lookup('env', 'ANSIBLE_SSH_CONTROL_PATH_DIR') }}\"}\n"
        "- set_fact: {colour: blue, cacheable: true}"
    )
    params = job(project, container_volume_mounts=[f"{tmp_path}/shown:/shown:z"], fact_cache_type="jsonfile")
    runner = awx.process(awx.submit(**params), private_data_dir=str(project.path), ident=42)
    assert runner.status == "successful", [event["stdout"] for event in awx.events]
    assert (project.artifacts("42") / "rc").read_text() == "0"
    assert [status["status"] for status in awx.statuses] == ["starting", "running", "successful"]
    shown = [
        event["event_data"]["res"].get("msg") for event in awx.events if event["event"] == "runner_on_ok"
    ]
    assert shown[0] == "seen /runner/cp"
    assert {event["job_id"] for event in awx.events if "event_data" in event} == {42}
    assert "blue" in next((project.artifacts("42") / "fact_cache").iterdir()).read_text()
    assert "hunter2" not in json.dumps(awx.statuses)


def test_a_canceled_job_leaves_no_container(awx: Awx, project: Project, podman_store: PodmanStore) -> None:
    """`work cancel` ends the container too, and the node's clean-up spares a job that runs or is excluded."""
    project.playbook("- command: sleep 600")
    unit = awx.submit(**job(project))
    wait_until(lambda: bool(podman_store.containers()), "the job runs")
    wait_until(
        lambda: bool(list((awx.place / "artifacts").glob("*/stdout")) or awx.place.exists()), "it is placed"
    )
    told = awx.command(
        f'cleanup --file-pattern={awx.place.parent}/awx_*_* --exclude-strings="awx_42_ awx_43_" --image-prune '
        "--process-isolation-executable=podman --grace-period=0"
    )
    assert "(changed: False)" in told
    assert awx.place.exists()
    awx.tell(f"work cancel {unit}")
    wait_until(lambda: podman_store.containers() == [], "no container")
    awx.tell(f"work release {unit}")


def test_the_health_check_reads_the_facts(awx: Awx) -> None:
    """--worker-info gives what AWX requires, and the engines as one more key."""
    facts = yaml.safe_load(awx.command("--worker-info"))
    assert {"runner_version", "cpu_count", "mem_in_bytes", "uuid", "errors"} <= facts.keys()
    assert facts["isolation_engines"]["podman"]


def test_images_are_removed_by_awxs_words(awx: Awx, podman_store: PodmanStore) -> None:
    """Two images in one option, as AWX sends them, are both gone."""
    names = ["localhost/old/one:1", "localhost/old/two:1"]
    for name in names:
        podman_store.make_image(name, files={"name": name})
    told = awx.command(
        f'cleanup --remove-images="{" ".join(names)}" --image-prune --process-isolation-executable=podman'
    )
    lines = told.replace("\r", "").splitlines()
    assert lines[:2] == [f"Removed image name {name}" for name in names]
    assert lines[2:] == ["Removed 2 image(s)", "Pruned images", "(changed: True)"]
    assert podman_store.images() == {IMAGE}
