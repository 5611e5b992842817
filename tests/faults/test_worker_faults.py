"""The worker or its command runner dies, falls silent, or was none at all: each end is named, in bounded time."""

from __future__ import annotations

import psutil
import pytest
import receptor_runner
from tests.faults.conftest import Lab
from tests.harness import finish, wait_until


def test_worker_killed(lab: Lab) -> None:
    """A worker that is killed (-9): its job and its directory are gone, and the unit's Detail is told."""
    client = lab.start("run")
    lab.await_output()
    unit = lab.record["unit_id"]
    lab.worker_of(unit).kill()
    ran = finish(client)
    assert ran.rc == 65, ran.stderr
    assert "signal: killed" in ran.stderr
    assert "before" in ran.stderr
    wait_until(lambda: not lab.processes(), "the job is gone", 10)
    wait_until(lambda: not lab.worker_directories, "the worker's directory is gone", 10)
    assert (lab.artifacts / "status").read_text() == "error"
    assert (lab.job()["status"], lab.job()["released"]) == ("error", True)
    assert lab.ask("attach").rc == 65


def test_worker_of_ansible_killed(lab: Lab) -> None:
    """With a real play: ansible and the task it runs are gone within seconds of their worker."""
    lab.project.playbook(f"- debug: msg=before\n- command: {lab.directory}/job.sh")
    client = lab.commands.start(
        "run", str(lab.project.path), "-i", "job", "-p", "test.yml", "--socket", lab.socket
    )
    lab.await_job()
    lab.worker_of(lab.record["unit_id"]).kill()
    ran = finish(client)
    assert ran.rc == 65, ran.stderr
    assert "signal: killed" in ran.stderr
    wait_until(lambda: not lab.processes(), "ansible and its task are gone", 10)


@pytest.mark.slow
def test_a_unit_is_released_while_its_directory_is_removed(lab: Lab) -> None:
    """The client does not wait for the removal of a big directory; it is gone soon after, as always."""
    for number in range(20_000):
        lab.project.write(f"project/{number % 100}/{number}", "x")
    lab.project.playbook("- debug: msg=before")
    ran = lab.commands.ours(
        "run", lab.project.path, "-i", "job", "-p", "test.yml", "--socket", lab.socket, "--no-store"
    )
    assert ran.rc == 0, ran.stderr
    wait_until(lambda: not lab.worker_directories, "the worker's directory is gone", 60)


def test_command_runner_killed(lab: Lab) -> None:
    """A command runner that is killed (-9): the end is named in bounded time, and the job stopped with it."""
    client = lab.start("run", "--runner-timeout", "1")
    lab.await_output()
    unit = lab.record["unit_id"]
    lab.runner_of(unit).kill()
    ran = finish(client, 45)
    assert ran.rc in {65, 75, 254}, ran.stderr
    assert "command runner died" in ran.stderr.lower()
    assert unit in ran.stderr
    wait_until(lambda: not lab.processes(), "the job is gone", 20)
    assert lab.job()["status"] in {"lost", "error", "canceled"}
    assert lab.job()["released"]


def test_command_runner_killed_and_the_worker_goes_on(lab: Lab) -> None:
    """A worker that goes on without its command runner and ends well is no loss, where the node leaves it alone."""
    if lab.node.kind == "embedded":
        pytest.skip("the embedded node ends what a dead command runner leaves")
    client = lab.start("run", "--runner-timeout", "30")
    lab.await_output()
    lab.runner_of(lab.record["unit_id"]).kill()
    lab.open()
    ran = finish(client)
    assert (ran.rc, lab.runs) == (0, 1), ran.stderr


def test_cancel_without_a_command_runner(lab: Lab) -> None:
    """A cancel reaches the worker although its command runner is dead."""
    client = lab.start("run", "--runner-timeout", "60")
    lab.await_output()
    lab.runner_of(lab.record["unit_id"]).kill()
    assert lab.ask("cancel").rc in {0, 69}
    assert finish(client, 30).rc == 254
    wait_until(lambda: not lab.processes(), "the job is gone", 20)


def test_what_was_left_out_is_known_after_an_error_too(lab: Lab) -> None:
    """The record of a job whose stream broke off holds what its archive could not bring."""
    ran = lab.ask("run", work_type="smuggler")
    assert ran.rc == 65, ran.stderr
    (warning,) = lab.record["outcome"]["warnings"]
    assert warning.startswith("left out of the artifacts: out: a link")


def test_half_an_archive_is_removed(lab: Lab) -> None:
    """Nothing of an archive whose rest never comes stays in the artifacts; the census looks."""
    ran = lab.ask("run", work_type="torn")
    assert ran.rc == 65, ran.stderr
    assert not (lab.artifacts / "archive.part").exists()


@pytest.mark.slow
def test_silence_is_no_end(lab: Lab) -> None:
    """A worker that is stopped (SIGSTOP) and goes on later is silent, not lost."""
    client = lab.start("run", "--contact-timeout", "1")
    lab.await_output()
    worker = lab.worker_of(lab.record["unit_id"])
    worker.suspend()
    lab.open()
    with pytest.raises(psutil.TimeoutExpired):
        psutil.Process(client.pid).wait(4)
    worker.resume()
    ran = finish(client)
    assert (ran.rc, lab.runs) == (0, 1), ran.stderr


@pytest.mark.slow
def test_silence_after_keepalives(lab: Lab) -> None:
    """Once keepalives were seen, `--contact-timeout` ends the wait with 75; `attach` finds the job, and counts too."""
    client = lab.start("run", "--contact-timeout", "2", work_type="alive")
    lab.await_output()
    worker = lab.worker_of(lab.record["unit_id"])
    wait_until(lambda: lab.record["checkpoint"]["keepalives"] > 0, "a keepalive came")
    worker.suspend()
    lost = finish(client, 30)
    assert lost.rc == 75, lost.stderr
    assert "keepalives" in lost.stderr
    assert lab.ask("attach", "--contact-timeout", "1", timeout_s=30).rc == 75
    worker.resume()
    lab.open()
    attached = lab.ask("attach", "--contact-timeout", "10")
    assert (attached.rc, lab.runs) == (0, 1), attached.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work_type", "rc", "texts"),
    [
        ("absent", 65, ["no such file or directory"]),
        ("empty", 65, ["exit status 0"]),
        ("garbage", 65, ["exit status 3", "this is no stream"]),
        ("noisy", 0, ["clock skew"]),
    ],
)
def test_no_worker_at_all(lab: Lab, work_type: str, rc: int, texts: list[str]) -> None:
    """What is no worker, or a noisy one, is told with the unit's Detail and the tail of what it printed."""
    ran = lab.ask("run", work_type=work_type)
    assert ran.rc == rc, ran.stderr
    for text in texts:
        assert text in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "\x1b" not in ran.stderr
    again = lab.ask("attach")
    assert again.rc == rc, again.stderr


def test_stdout_closed_early(lab: Lab) -> None:
    """A worker that closes its output goes on until its process ends; then its stream is incomplete."""
    client = lab.start("run", work_type="short")
    lab.await_job()
    lab.open()
    ran = finish(client)
    assert ran.rc == 65, ran.stderr
    assert "exit status 0" in ran.stderr
    assert "last status: running" in ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["event_handler", "status_handler", "cancel_callback"])
def test_a_handler_that_raises(lab: Lab, name: str) -> None:
    """A program whose handler fails hears of it, and the job is stopped, for nobody would follow it any more."""

    def fail(*_arguments: object, **_options: object) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        receptor_runner.run(
            private_data_dir=lab.project.path,
            playbook="test.yml",
            binary=str(lab.directory / "job.sh"),
            ident="job",
            socket=lab.socket,
            quiet=True,
            **{name: fail},
        )
    assert (lab.job()["status"], lab.job()["active"]) == ("canceled", False)
    assert lab.control.units() == {}
