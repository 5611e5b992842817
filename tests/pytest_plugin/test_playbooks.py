"""`run_playbook` in somebody's tests: what it runs, what it returns, and what a failed test shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.pytest_plugin.conftest import Suite


def test_two_lines_give_a_node_a_job_and_its_events(suite: Suite) -> None:
    """A test that only asks for `run_playbook` gets outcome, recap, events, output and artifacts."""
    suite.run("""
        def test_site(run_playbook):
            result = run_playbook("site.yml", inventory="hosts.ini").assert_ok()
            assert (result.status, result.exit_code, result.changed) == ("successful", 0, 2)
            assert {host: recap.ok for host, recap in result.recap.items()} == {"web1": 2, "web2": 2}
            assert len(result.events_of("playbook_on_task_start")) == 2
            (said,) = result.events_of("runner_on_ok", host="web2", task="Say hello")
            assert said.message == "Hello world" and said.task_path == "site.yml:5"
            assert "Hello world" in result.stdout and chr(27) not in result.stdout
            assert (result.artifacts / "rc").read_text() == "0"
            assert run_playbook("site.yml", inventory="hosts.ini").assert_unchanged().changed == 0
    """).assert_outcomes(passed=1)
    assert (suite.temporary / "web1").read_text() == "web1"
    assert suite.left_over() == []


@pytest.mark.slow
def test_arguments_are_those_of_ansible_playbook(suite: Suite) -> None:
    """Limit, tags, variables, check mode and any other option by its name reach ansible-playbook."""
    suite.run("""
        def test_site(run_playbook, tmp_path):
            words = {"inventory": "hosts.ini", "limit": "web1"}
            result = run_playbook("site.yml", **words, tags="hello", extra_vars={"greeting": "Good 'day'"})
            assert [event.message for event in result.events_of("runner_on_ok")] == ["Good 'day' world"]
            result = run_playbook("site.yml", **words, check=True, options={"verbose": 1, "forks": 7})
            assert result.changed == 1
            assert "--check" in (result.artifacts / "command").read_text()
            assert "-v" in (result.artifacts / "command").read_text()
            assert "--forks" in (result.artifacts / "command").read_text()
            assert result.artifacts.name == "site-2"
    """).assert_outcomes(passed=1)
    assert not (suite.temporary / "web1").exists()


def test_a_failed_assert_shows_the_message_of_the_task(suite: Suite) -> None:
    """`assert_ok` names the task that is to blame and what it said, not those whose failure was rescued or ignored."""
    done = suite.run("""
        def test_site(run_playbook):
            run_playbook("failing.yml", inventory="hosts.ini", limit="web1").assert_ok()
    """)
    done.assert_outcomes(failed=1)
    text = done.stdout.str()
    error = [line for line in text.splitlines() if line.startswith("E ")]
    assert error[0].endswith("AssertionError: failing.yml: failed, exit code 2")
    assert error[1].endswith("  web1: Install it (failing.yml:11)")
    assert error[2].endswith("    No package named foo")
    assert "artifacts: " in error[3]
    assert len(error) == 4
    assert "results.py" not in text
    assert "Captured failing.yml call" in text


@pytest.mark.slow
def test_a_change_in_a_second_run_is_named(suite: Suite) -> None:
    """`assert_unchanged` says which task changed something on which host."""
    done = suite.run("""
        def test_site(run_playbook):
            run_playbook("site.yml", inventory="hosts.ini", limit="web2").assert_unchanged()
    """)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["E *site.yml: 1 changed, where nothing was to change", "E *web2: Write a file (site.yml:*)"]
    )


@pytest.mark.slow
def test_a_playbook_that_cannot_start_is_an_error_without_our_frames(suite: Suite) -> None:
    """A missing playbook, an unknown option and a question that nobody answers show the test's line and a hint."""
    done = suite.run("""
        import pytest
        from receptor_runner import UsageError

        def test_missing(run_playbook):
            run_playbook("sit.yml", inventory="hosts.ini")

        def test_unknown(run_playbook):
            with pytest.raises(UsageError, match="no option `becom`"):
                run_playbook("site.yml", inventory="hosts.ini", options={"becom": True})

        def test_question(run_playbook):
            with pytest.raises(UsageError, match="nobody answers `BECOME password:`"):
                run_playbook("site.yml", inventory="hosts.ini", options={"ask_become_pass": True})
    """)
    done.assert_outcomes(failed=1, passed=2)
    done.stdout.fnmatch_lines(
        ["E *MissingInput: playbook sit.yml does not exist*", "E *hint: did you mean *site.yml*"]
    )
    done.stdout.no_fnmatch_line("*playbooks.py*")


@pytest.mark.slow
def test_fixtures_of_any_scope_may_run_playbooks(suite: Suite) -> None:
    """A playbook that runs once for a module serves all its tests; its artifacts are kept where they were wanted."""
    suite.run(
        """
        import pytest

        @pytest.fixture(scope="module")
        def deployed(run_playbook):
            return run_playbook("site.yml", inventory="hosts.ini", limit="web1")

        def test_one(deployed):
            assert deployed.succeeded

        def test_two(deployed):
            assert deployed.changed == 1
        """,
        "--receptor-artifacts=kept",
    ).assert_outcomes(passed=2)
    assert (suite.path / "kept" / "test_site.py-test_one" / "artifacts" / "site" / "rc").read_text() == "0"


@pytest.mark.slow
def test_a_timeout_stops_the_job_alone(suite: Suite) -> None:
    """The job's own timeout is a status; that of a pytest plugin fails the test, and the job is stopped as well."""
    done = suite.run("""
        import pytest

        def test_own(run_playbook):
            assert run_playbook("long.yml", inventory="hosts.ini", timeout_s=3).status == "timeout"

        @pytest.mark.timeout(4, method="signal")
        def test_plugin(run_playbook):
            run_playbook("long.yml", inventory="hosts.ini")

        def test_next(run_playbook):
            run_playbook("site.yml", inventory="hosts.ini").assert_ok()
    """)
    done.assert_outcomes(passed=2, failed=1)
    suite.census.check_empty()


@pytest.mark.slow
def test_jobs_of_tests_are_not_listed_among_those_of_the_user(
    suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is noted in the state directory of the person who runs the tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    suite.run("""
        def test_site(run_playbook):
            run_playbook("site.yml", inventory="hosts.ini").assert_ok()
    """).assert_outcomes(passed=1)
    assert [path for path in (tmp_path / "state").rglob("*") if path.is_file()] == []
