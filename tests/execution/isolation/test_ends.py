"""How jobs in real podman containers end, and that nothing of them is left however they do."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from receptor_runner.execution.guardian import descendants, name_of, send_signal
from receptor_runner.outcome import Status
from tests.execution.conftest import Ran
from tests.execution.isolation.conftest import ContainerWorkplace
from tests.harness import Commands, wait_until
from tests.harness.containers import IMAGE, PodmanStore

SLEEP = "- command: sleep 600"
STUBBORN = "- shell: trap '' INT TERM; sleep 600"


@pytest.mark.parametrize("tasks", [SLEEP, STUBBORN], ids=["plain", "stubborn"])
def test_a_canceled_job_is_interrupted_and_gone(in_podman: ContainerWorkplace, tasks: str) -> None:
    """A cancel reaches ansible in the container as Ctrl-C does; container, client and monitor are gone at once."""
    ran = in_podman.begin(playbook=in_podman.place.playbook(tasks))
    ran.told.wait_for("runner_on_start")
    ran.stop.request()
    assert (ran.outcome.status, ran.outcome.rc) == (Status.CANCELED, 254)
    assert "User interrupted execution" in ran.told.text
    assert in_podman.store.containers() == []
    assert in_podman.store.processes() == []


def test_a_program_that_ignores_the_interrupt_is_removed(in_podman: ContainerWorkplace) -> None:
    """What does not end by an interrupt is killed with its container."""
    ran = in_podman.begin(
        binary="sh", cmdline="-c \"trap '' INT TERM; echo ready; while :; do sleep 1; done\""
    )
    wait_until(lambda: "ready" in ran.told.text, "it runs")
    ran.stop.request()
    assert (ran.outcome.status, ran.outcome.rc) == (Status.CANCELED, 254)
    assert in_podman.store.containers() == []


@pytest.mark.parametrize("events", [0, 1, 2], ids=["at once", "running", "later"])
def test_a_cancel_at_any_moment_leaves_nothing(in_podman: ContainerWorkplace, events: int) -> None:
    """A cancel while the container is being created ends it too, whatever state it is in."""
    ran = in_podman.begin(playbook=in_podman.place.playbook(SLEEP))
    wait_until(lambda: len(ran.told.statuses) >= min(events + 1, 2), "a status")
    if events == 2:
        wait_until(lambda: bool(in_podman.store.containers()), "a container")
    ran.stop.request()
    assert ran.outcome.status is Status.CANCELED
    assert in_podman.store.containers() == []


def test_a_job_that_takes_too_long_times_out(in_podman: ContainerWorkplace) -> None:
    """job_timeout ends the job with its container."""
    in_podman.place.write("env/settings", "job_timeout: 3\n")
    ran = in_podman.play(SLEEP)
    assert (ran.outcome.status, ran.outcome.rc) == (Status.TIMEOUT, 254)


def test_lack_of_memory_is_said(in_podman: ContainerWorkplace) -> None:
    """When the kernel kills what took too much memory the explanation says so."""
    eat = "- command: \"python3 -c 'x = bytearray(1 << 30); x[::4096] = bytes(len(x) // 4096)'\""
    ran = in_podman.play(eat, container_options=["--memory=200m"])
    assert ran.outcome.status is Status.FAILED
    assert "ran out of memory" in str(ran.outcome.explanation)


def test_a_container_that_is_killed_from_outside_fails(in_podman: ContainerWorkplace) -> None:
    """Somebody else's `podman kill` is a failure that says what happened."""
    ran = in_podman.begin(playbook=in_podman.place.playbook(SLEEP))
    ran.told.wait_for("runner_on_start")
    in_podman.store.podman("kill", *in_podman.store.containers())
    assert (ran.outcome.status, ran.outcome.rc) == (Status.FAILED, 137)
    assert "killed before the job ended" in str(ran.outcome.explanation)


def test_a_client_that_is_killed_takes_its_container_along(in_podman: ContainerWorkplace) -> None:
    """The container, which outlives a killed client, is removed, and the job has failed."""
    ran = run_until_the_client_is_killed(in_podman, "podman")
    assert ran.outcome.status is Status.FAILED
    assert "SIGKILL" in str(ran.outcome.explanation)
    assert in_podman.store.containers() == []


@pytest.mark.parametrize(
    "hindrance",
    ["test -e $busy || { touch $busy; exit 1; }", "sleep 6"],
    ids=["refuses once", "is slow"],
)
def test_a_container_is_removed_until_it_is_gone(
    in_podman: ContainerWorkplace, tmp_path: Path, hindrance: str
) -> None:
    """An engine that refuses to remove the container at first, or takes its time, still leaves none."""
    engine = podman_that(f"busy={tmp_path}/busy; {hindrance}", tmp_path)
    ran = run_until_the_client_is_killed(in_podman, engine)
    assert ran.outcome.status is Status.FAILED
    assert in_podman.store.containers() == []
    assert ran.told.remarks == []


def test_a_container_that_cannot_be_removed_is_named(in_podman: ContainerWorkplace, tmp_path: Path) -> None:
    """When the engine refuses for good, the user reads how to remove the container."""
    engine = podman_that("exit 1", tmp_path)
    ran = run_until_the_client_is_killed(in_podman, engine)
    assert ran.outcome.status is Status.FAILED
    (name,) = in_podman.store.containers()
    assert f"try: {engine} rm --force --time=0 {name}" in ran.told.remarks[0]
    in_podman.store.podman("rm", "--force", "--time=0", name)


def run_until_the_client_is_killed(place: ContainerWorkplace, engine: str) -> Ran:
    """Start a job by an engine and kill the engine's client, which the container outlives."""
    ran = place.begin(playbook=place.place.playbook(SLEEP), process_isolation_executable=engine)
    ran.told.wait_for("runner_on_start")
    clients = {pid for pid in descendants(os.getpid()) if name_of(pid) == "podman"}
    assert clients
    send_signal(clients, signal.SIGKILL)
    return ran


def podman_that(hindrance: str, directory: Path) -> str:
    """Return a podman in which a shell command comes before each removal."""
    path = directory / "podman"
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = rm ]; then {hindrance}; fi\nexec {shutil.which("podman")} "$@"\n'
    )
    path.chmod(0o755)
    return str(path)


StartWorker = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start_worker(in_podman: ContainerWorkplace, commands: Commands, podman_store: PodmanStore) -> StartWorker:
    """Start a real worker whose job sleeps in a container, with its private data dir in the temporary directory."""
    commands.environment |= {**podman_store.environment, "TMPDIR": str(in_podman.temporary)}
    name = in_podman.place.playbook(SLEEP)
    in_podman.place.write("env/settings", f"process_isolation: true\ncontainer_image: {IMAGE}\n")
    stream = commands.ours("transmit", in_podman.place.path, "-p", name).stdout

    def start() -> subprocess.Popen[bytes]:
        worker = commands.start("worker", stdin=subprocess.PIPE)
        assert worker.stdin
        assert worker.stdout
        worker.stdin.write(stream)
        worker.stdin.flush()
        for line in worker.stdout:
            if b'"runner_on_start"' in line:
                return worker
        pytest.fail("the job did not start")

    return start


def guardian_of(worker: subprocess.Popen[bytes]) -> int:
    """Return the guardian of a worker."""
    children = psutil.Process(worker.pid).children()
    return next(child.pid for child in children if any("guardian.py" in word for word in child.cmdline()))


def check_gone(place: ContainerWorkplace, processes: set[int]) -> None:
    """Wait until no container, process and file of a worker is left."""
    wait_until(lambda: place.store.containers() == [], "no container")
    wait_until(lambda: place.store.processes() == [], "no process of podman")
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in processes), "no process")
    wait_until(lambda: place.left() == [], "no file")


def test_a_worker_that_is_terminated_sends_its_end(
    in_podman: ContainerWorkplace, start_worker: StartWorker
) -> None:
    """SIGTERM, as Receptor cancels: status, artifacts and end marker come, and nothing is left."""
    worker = start_worker()
    tree = descendants(worker.pid)
    worker.send_signal(signal.SIGTERM)
    rest = worker.communicate(timeout=20)[0]
    assert b'"status": "canceled"' in rest
    assert rest.rstrip().endswith(b'{"eof": true}')
    check_gone(in_podman, tree)


def test_a_worker_that_is_killed_leaves_nothing(
    in_podman: ContainerWorkplace, start_worker: StartWorker
) -> None:
    """After kill -9 of the worker its guardian removes container and files."""
    worker = start_worker()
    tree = descendants(worker.pid)
    worker.kill()
    check_gone(in_podman, tree)


def test_a_guardian_that_is_killed_leaves_nothing(
    in_podman: ContainerWorkplace, start_worker: StartWorker
) -> None:
    """After kill -9 of the guardian the worker ends the job with an error, and removes all itself."""
    worker = start_worker()
    tree = descendants(worker.pid)
    os.kill(guardian_of(worker), signal.SIGKILL)
    rest = worker.communicate(timeout=20)[0]
    assert b'"status": "error"' in rest
    check_gone(in_podman, tree)


def test_a_container_ends_when_worker_and_guardian_are_both_killed(
    in_podman: ContainerWorkplace, start_worker: StartWorker
) -> None:
    """With nobody left to remove it, the container ends by itself; only files stay, for a later clean-up."""
    worker = start_worker()
    tree = descendants(worker.pid)
    os.kill(worker.pid, signal.SIGSTOP)  # else it would see its guardian's end, and clean up itself
    os.kill(guardian_of(worker), signal.SIGKILL)
    worker.kill()
    wait_until(lambda: in_podman.store.containers() == [], "no container")
    wait_until(lambda: in_podman.store.processes() == [], "no process of podman")
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in tree - {worker.pid}), "no process")
    for path in in_podman.left():
        assert path.name.startswith("receptor-runner-")
        subprocess.run(["rm", "-rf", path], check=True)


def test_what_the_engine_refuses_is_an_error_in_its_own_words(in_podman: ContainerWorkplace) -> None:
    """An unknown option, a missing mount, a missing image: an error status that says which, and what to do."""
    name = in_podman.place.playbook("- debug:")
    for options, words in (
        (
            {"container_options": ["--no-such-option"]},
            "unknown flag: --no-such-option; hint: check --container-option",
        ),
        ({"container_volume_mounts": ["/no/such:/x"]}, "the source of a mount does not exist"),
        ({"container_image": "localhost/none:1", "container_options": ["--pull=never"]}, "localhost/none:1"),
        ({"container_options": ["--ulimit=nofile=9999999:9999999"]}, "rlimit"),
    ):
        ran = in_podman.run(playbook=name, **options)
        assert (ran.outcome.status, ran.told.statuses[-1]["status"]) == (Status.ERROR, "error")
        assert words in str(ran.outcome.explanation)
        assert (ran.artifacts / "rc").read_text() in {"125", "126"}


def test_a_missing_interpreter_is_said(in_podman: ContainerWorkplace) -> None:
    """An image without python3 is an error that names it."""
    ran = in_podman.run(binary="true", container_options=["-e", "PATH=/nowhere"])
    assert ran.outcome.status is Status.ERROR
    assert "python3" in str(ran.outcome.explanation)


def test_files_of_the_job_keep_their_modes(in_podman: ContainerWorkplace, tmp_path: Path) -> None:
    """What the job creates in its project is there afterwards, as it was made."""
    ran = in_podman.play("- copy: {dest: '{{ playbook_dir }}/made', content: x, mode: '0640'}")
    assert ran.outcome.status is Status.SUCCESSFUL
    assert (in_podman.place.path / "project" / "made").stat().st_mode & 0o777 == 0o640
