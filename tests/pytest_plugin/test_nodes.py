"""`receptor_node` in somebody's tests: which node it is, and that nothing of it is left."""

from __future__ import annotations

import signal

import pytest
from tests.harness import wait_until
from tests.pytest_plugin.conftest import Suite, start

ON_NODE = """
    import pytest
    from receptor_runner.pytest_plugin import Node, PlaybookResult, RunPlaybook

    {marker}
    def test_site(receptor_node: Node, run_playbook: RunPlaybook) -> None:
        print("node:", receptor_node.name, receptor_node.config.read_text().splitlines()[1])
        result: PlaybookResult = run_playbook("site.yml", inventory="hosts.ini").assert_ok()
        assert len(result.events) > 5
"""
BOTH = '@pytest.mark.receptor_node("embedded", "daemon")'
LONG = """
    import pytest

    @pytest.mark.parametrize("number", range(2))
    def test_long(run_playbook, number):
        run_playbook("long.yml", inventory="hosts.ini", extra_vars={"number": number})
"""


@pytest.mark.receptor
@pytest.mark.slow
@pytest.mark.parametrize("options", [["-n2"], ["--receptor-node=daemon"]], ids=["xdist", "daemon"])
def test_a_marked_test_runs_on_each_kind_of_node(suite: Suite, receptor_bin: str, options: list[str]) -> None:
    """The marker runs a test once on the embedded node and once on the real daemon, whatever the default is."""
    suite.run(ON_NODE.format(marker=BOTH), *options).assert_outcomes(passed=2)
    suite.census.check_empty()
    assert suite.left_over() == []


@pytest.mark.receptor
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["auto", "daemon"])
def test_the_configuration_file_chooses_the_node(suite: Suite, receptor_bin: str, kind: str) -> None:
    """`receptor_node` in the configuration file makes the real daemon the node of all tests."""
    suite.pytester.makeini(f"[pytest]\nreceptor_node = {kind}\n")
    tests = """
        from pathlib import Path
        import os, socket, struct

        def test_program(receptor_node):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(receptor_node.socket))
                pid, _, _ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            assert Path(f"/proc/{pid}/comm").read_text().startswith("receptor")
    """
    suite.run(tests).assert_outcomes(passed=1)


@pytest.mark.slow
def test_without_the_daemon_its_part_is_skipped_by_name(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The skip says what is missing; with `--receptor-node=daemon` the lack is an error instead."""
    monkeypatch.setenv("RECEPTOR_BIN", "/nowhere/receptor")
    done = suite.run(ON_NODE.format(marker=BOTH), "-rs")
    done.assert_outcomes(passed=1, skipped=1)
    done.stdout.fnmatch_lines(["SKIPPED*the receptor daemon is not found*RECEPTOR_BIN*"])
    done = suite.run(ON_NODE.format(marker=""), "--receptor-node=daemon")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(
        ["error: the receptor daemon is not found", "*cause: RECEPTOR_BIN*", "*hint: *"]
    )
    suite.run(ON_NODE.format(marker=""), "--receptor-node=auto").assert_outcomes(passed=1)


@pytest.mark.slow
def test_each_worker_of_xdist_has_a_node_of_its_own(suite: Suite) -> None:
    """Tests that run side by side do not share a node, and all nodes end."""
    suite.run(
        """
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_site(run_playbook, receptor_node, number, worker_id):
            run_playbook("site.yml", inventory="hosts.ini", limit="web1").assert_ok()
            with open("nodes", "a") as seen:
                seen.write(f"{worker_id} {receptor_node.socket}\\n")
        """,
        "-n2",
    ).assert_outcomes(passed=4)
    seen = {tuple(line.split()) for line in (suite.path / "nodes").read_text().splitlines()}
    assert len(seen) == len({worker for worker, _socket in seen}) == len({socket for _worker, socket in seen})
    suite.census.check_empty()
    assert suite.left_over() == []


KINDS = ["embedded", pytest.param("daemon", marks=[pytest.mark.receptor, pytest.mark.slow])]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_a_killed_run_leaves_nothing(suite: Suite, kind: str, workers: str) -> None:
    """When pytest is killed in the middle of a job, the job, the node and their directories are gone soon after."""
    suite.pytester.makepyfile(test_site=LONG)
    process = start(suite, f"--receptor-node={kind}", "-n", workers)
    wait_until((suite.temporary / "started").exists, "the job runs", 60)
    process.kill()
    process.wait()
    wait_until(lambda: not suite.census.found, f"all have ended: {suite.census.found}", 60)
    assert suite.left_over() == []


@pytest.mark.slow
def test_ctrl_c_stops_the_job_and_the_node(suite: Suite) -> None:
    """An interrupted run ends as pytest ends, and leaves nothing."""
    suite.pytester.makepyfile(test_site=LONG)
    process = start(suite)
    wait_until((suite.temporary / "started").exists, "the job runs")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == pytest.ExitCode.INTERRUPTED
    suite.census.check_empty()
    assert suite.left_over() == []


@pytest.mark.slow
def test_a_process_that_a_test_forked_does_not_keep_the_node_alive(suite: Suite) -> None:
    """The node ends when pytest is killed, although a forked child holds what pytest held."""
    (suite.path / "test_site.py").write_text(
        "import os, signal\n\ndef test_fork(receptor_node):\n"
        "    if not os.fork():\n        signal.pause()\n"
        "    open('forked', 'w').close()\n    signal.pause()\n"
    )
    process = start(suite)
    wait_until((suite.path / "forked").exists, "the test has forked")
    process.kill()
    process.wait()
    wait_until(lambda: not suite.left_over(), "the node is gone", 60)
    wait_until(lambda: len(suite.census.found) == 1, f"only the forked process is left: {suite.census.found}")
