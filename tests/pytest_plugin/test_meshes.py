"""`receptor_mesh` in somebody's tests: a mesh of real daemons, from a mesh.yml or of a given size."""

from __future__ import annotations

import pytest
from tests.harness import wait_until
from tests.pytest_plugin.conftest import Suite, start

SMALL = "tls=False, signed=False"


@pytest.mark.receptor
@pytest.mark.slow
def test_a_mesh_yml_becomes_a_mesh_on_this_machine(suite: Suite, receptor_bin: str) -> None:
    """A playbook runs on a worker that is two links away, over TLS and signed; the mesh is shared and ends."""
    (suite.path / "mesh.yml").write_text("""
        name: ours
        nodes:
          control: {role: control}
          hop: {role: hop, peers: [control]}
          far: {role: worker, peers: [hop]}
    """)
    suite.run("""
        import pytest
        from receptor_runner.pytest_plugin import Mesh, ReceptorMesh, RunPlaybook

        @pytest.fixture(scope="module")
        def mesh(receptor_mesh: ReceptorMesh) -> Mesh:
            return receptor_mesh("mesh.yml")

        def test_far(run_playbook: RunPlaybook, mesh: Mesh):
            assert [node.name for node in mesh.workers] == ["far"] and mesh.control is mesh["control"]
            result = run_playbook("site.yml", inventory="hosts.ini", on=mesh.worker).assert_ok()
            assert result.changed == 2

        def test_again(receptor_mesh: ReceptorMesh, mesh: Mesh):
            assert receptor_mesh("mesh.yml") is mesh
            assert mesh["far"].log.is_file() and mesh["hop"].role == "hop"
    """).assert_outcomes(passed=2)
    suite.census.check_empty()
    assert suite.left_over() == []


@pytest.mark.receptor
@pytest.mark.slow
def test_a_mesh_of_a_given_size(suite: Suite, receptor_bin: str) -> None:
    """Each of two workers runs jobs, without a mesh.yml."""
    suite.run(f"""
        def test_both(run_playbook, receptor_mesh):
            mesh = receptor_mesh(workers=2, {SMALL})
            for worker in mesh.workers:
                run_playbook("site.yml", inventory="hosts.ini", on=worker, check=True).assert_ok()
    """).assert_outcomes(passed=1)
    suite.census.check_empty()


@pytest.mark.receptor
@pytest.mark.slow
@pytest.mark.parametrize("moment", ["starting", "running"])
def test_a_killed_run_leaves_no_daemon(suite: Suite, receptor_bin: str, moment: str) -> None:
    """Whether pytest is killed while the mesh starts or while a job runs on it, all of it is gone soon after."""
    suite.pytester.makepyfile(
        test_site=f"""
        def test_long(run_playbook, receptor_mesh):
            worker = receptor_mesh({SMALL}).worker
            run_playbook("long.yml", inventory="hosts.ini", on=worker)
        """
    )
    process = start(suite)
    if moment == "starting":
        wait_until(lambda: list(suite.temporary.glob("*/mesh/*/receptor.log")), "a daemon starts", 60)
    else:
        wait_until((suite.temporary / "started").exists, "the job runs", 90)
    process.kill()
    process.wait()
    wait_until(lambda: not suite.census.found, f"all have ended: {suite.census.found}", 60)
    assert suite.left_over() == []


@pytest.mark.receptor
@pytest.mark.slow
def test_a_faulty_mesh_yml_is_named_with_its_line(suite: Suite, receptor_bin: str) -> None:
    """A description that cannot be used fails the test with file, line and hint, and nothing is started."""
    (suite.path / "mesh.yml").write_text(
        "nodes:\n  control: {role: control}\n  worker: {role: worker, peers: [hop]}\n"
    )
    done = suite.run("def test_site(receptor_mesh): receptor_mesh('mesh.yml')")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["E *mesh.yml has errors: line 3*", "E *hint: receptor-runner mesh check *mesh.yml"]
    )
    done.stdout.no_fnmatch_line("*meshes.py*")
    assert suite.left_over() == []


@pytest.mark.slow
def test_without_the_daemon_a_mesh_is_skipped_by_name(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The skip names what is missing; with `--receptor-node=daemon` the lack is an error."""
    monkeypatch.setenv("RECEPTOR_BIN", "/nowhere/receptor")
    tests = "def test_site(receptor_mesh): receptor_mesh()"
    done = suite.run(tests, "-rs")
    done.assert_outcomes(skipped=1)
    done.stdout.fnmatch_lines(["SKIPPED*the receptor daemon is not found*/nowhere/receptor*"])
    suite.run(tests, "--receptor-node=daemon").assert_outcomes(errors=1)
