"""`worker cleanup` beside ansible-runner's, and `cleanup` on a node: lines, exit codes, and AWX's own words."""

from __future__ import annotations

import json
import os
import shlex
import signal
from pathlib import Path

import pytest
from tests.harness import BIN, CommandLine, Commands, Finished, NodeFactory, Project, ServedNode, wait_until

AWX_PARAMS = (
    'cleanup --exclude-strings="awx_2_b awx_3_c" --file-pattern={pattern} --image-prune '
    '--process-isolation-executable={engine} --remove-images="q.io/a:1 q.io/b:2" --grace-period=60'
)
"""The parameters that AWX submits, to the letter."""


@pytest.fixture
def litter(tmp_path: Path) -> Path:
    """Four private data directories that are three hours old, and a file."""
    base = tmp_path / "litter"
    for name in ("awx_1_a", "awx_2_b", "awx_3_c", "awx_4_d"):
        (base / name / "artifacts" / name).mkdir(parents=True)
        age(base / name)
    (base / "awx_5_file").touch()
    return base


def age(path: Path, hours: float = 3) -> None:
    """Let a directory look as if it changed last so many hours ago."""
    moment = path.stat().st_mtime - hours * 3600
    os.utime(path, (moment, moment))


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """An executable that stands in for podman: it has every image once, prunes something, writes down its words."""
    path = tmp_path / "bin" / "podman"
    path.parent.mkdir()
    path.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/words\ncase "$1" in images) echo "$3";; image) echo sha256:1;; esac\n'
    )
    path.chmod(0o755)
    return path


def left(base: Path) -> list[str]:
    """Return what is left of the litter."""
    return sorted(path.name for path in base.iterdir())


def worker_cleanup(command_line: CommandLine, litter: Path, *words: str) -> Finished:
    """Run `worker cleanup` over the litter."""
    return command_line.ours("worker", "cleanup", f"--file-pattern={litter}/awx_*_*", *words)


OURS = ("Removed private data dir ", "Removed image name ")
"""Lines that ansible-runner's clean-up does not print: it counts, and names nothing."""

SIDE_BY_SIDE: dict[str, list[str]] = {
    "nothing asked": [],
    "nothing matches": ["--file-pattern={base}/nothing_*"],
    "all": ["--file-pattern={base}/awx_*_*"],
    "a word excluded": ["--file-pattern", "{base}/awx_*_*", "--exclude-strings", "awx_1_"],
    "words excluded": ["--exclude-strings", "awx_1_", "awx_2_", "--file-pattern", "{base}/awx_*_*"],
    "no word excluded": ["--exclude-strings", "--file-pattern={base}/awx_*_*"],
    "all too young": ["--file-pattern={base}/awx_*_*", "--grace-period", "600"],
    "no grace": ["--file-pattern={base}/awx_*_*", "--grace-period=0"],
    "registry credentials": ["--file-pattern={base}/awx_1_*"],
}


@pytest.mark.parametrize("words", SIDE_BY_SIDE.values(), ids=list(SIDE_BY_SIDE))
def test_lines_exit_code_and_effect_are_those_of_ansible_runner(
    commands: Commands, litter: Path, tmp_path: Path, words: list[str]
) -> None:
    """The same words over the same litter: both print the same, but for the names of what goes, and leave the same."""
    commands.environment["TMPDIR"] = str(tmp_path)
    seen = []
    for run in (commands.peer, commands.ours):
        base = litter.rename(litter.with_name(run.__name__))
        (tmp_path / "ansible_runner_registry_awx_1_a_xyz").mkdir(exist_ok=True)
        done = run("worker", "cleanup", *(word.format(base=base) for word in words))
        assert done.stderr == ""
        shared = [line for line in done.text.splitlines() if not line.startswith(OURS)]
        seen.append(("\n".join(shared).replace(str(base), ""), done.rc, left(base)))
        rebuild(base, litter)
    assert seen[0] == seen[1]


def rebuild(used: Path, litter: Path) -> None:
    """Make the litter anew after a clean-up."""
    used.rename(litter)
    for name in ("awx_1_a", "awx_2_b", "awx_3_c", "awx_4_d"):
        (litter / name / "artifacts" / name).mkdir(parents=True, exist_ok=True)
        if litter.joinpath(name).stat().st_mtime > litter.joinpath("awx_5_file").stat().st_mtime:
            age(litter / name)


@pytest.mark.parametrize(
    "words",
    [
        ["--exclude-strings=awx_2_b awx_3_c"],
        ["--exclude-strings", "awx_2_b awx_3_c"],
        ["--exclude-strings", "awx_2_b", "awx_3_c"],
        ["--exclude-strings=awx_2_b,awx_3_c"],
        ["--exclude-strings", "awx_2_b, awx_3_c"],
        ["--exclude-strings=awx_2_b", "--exclude-strings", "awx_3_c"],
    ],
)
def test_words_may_be_given_in_every_way(command_line: CommandLine, litter: Path, words: list[str]) -> None:
    """One quoted list, several words, commas and repetition all mean the same."""
    assert worker_cleanup(command_line, litter, *words).text.endswith("(changed: True)\n")
    assert left(litter) == ["awx_2_b", "awx_3_c", "awx_5_file"]


def test_what_was_left_is_named_before_the_last_line(commands: Commands, litter: Path) -> None:
    """A link is a warning; where both streams go the same way, the last line is still the last."""
    (litter / "awx_6_link").symlink_to("/nowhere")
    words = [f"--file-pattern={litter}/awx_*_*", "--grace-period", "0"]
    line = shlex.join([str(BIN / "receptor-runner"), "worker", "cleanup", *words])
    done = commands.run("sh", "-c", f"{line} 2>&1")
    assert done.rc == 0
    assert done.text.splitlines()[4:] == [
        f"Removed 4 private data dir(s) in pattern {litter}/awx_*_*",
        f"warning: kept {litter}/awx_6_link: it is a symbolic link, or reached through one",
        "(changed: True)",
    ]


def test_a_missing_engine_fails_but_the_directories_are_gone(command_line: CommandLine, litter: Path) -> None:
    """What was removed is told although the images could not be looked at, and the exit code is not 0."""
    done = worker_cleanup(
        command_line, litter, "--image-prune", "--process-isolation-executable=no-such-engine"
    )
    assert done.rc == 66
    assert done.text.splitlines()[-1] == "(changed: True)"
    assert "error: the container engine `no-such-engine` cannot be run" in done.stderr
    assert left(litter) == ["awx_5_file"]


@pytest.mark.parametrize(
    "pattern", ["/", "/home", "/hom*", "/root", "/usr/l*", "/srv", "{home}", "{cwd}", "."]
)
def test_dangerous_patterns_are_refused(command_line: CommandLine, pattern: str, tmp_path: Path) -> None:
    """System, home and current directories: the peer's sentence, a non-zero exit, and nothing is removed."""
    pattern = pattern.format(home=command_line.environment["HOME"], cwd=tmp_path)
    done = command_line.ours("worker", "cleanup", "--grace-period=0", f"--file-pattern={pattern}")
    assert (done.rc, done.text) == (64, "")
    assert "Provided pattern could result in deleting system folders: " in done.stderr


def test_a_dry_run_as_json_tells_all_and_changes_nothing(command_line: CommandLine, litter: Path) -> None:
    """One object on stdout says what would go and what would stay, and why."""
    (litter / "awx_6_link").symlink_to("/nowhere")
    done = worker_cleanup(command_line, litter, "--dry-run", "--json")
    assert (done.rc, done.stderr) == (0, "")
    assert json.loads(done.text) == {
        "schema": 1,
        "changed": False,
        "dry_run": True,
        "removed": [f"{litter}/{name}" for name in ("awx_1_a", "awx_2_b", "awx_3_c", "awx_4_d")],
        "registry_auth": [],
        "containers": [],
        "running": [],
        "skipped": [
            {"path": f"{litter}/awx_6_link", "reason": "it is a symbolic link, or reached through one"}
        ],
        "failed": [],
        "images": 0,
        "pruned": False,
        "store_bytes": 0,
        "error": None,
    }
    assert len(left(litter)) == 6


def test_json_tells_of_a_failure_and_the_exit_code_too(command_line: CommandLine) -> None:
    """stderr stays empty, for a node would mix it into the object."""
    done = command_line.ours(
        "worker", "cleanup", "--json", "--image-prune", "--process-isolation-executable=none"
    )
    assert (done.rc, done.stderr) == (66, "")
    assert json.loads(done.text)["error"] == (
        "the container engine `none` cannot be run: No such file or directory"
    )


def test_the_worker_still_takes_its_options_and_helps_with_both(command_line: CommandLine) -> None:
    """`worker` without `cleanup` is what it was, and its help shows both."""
    text = command_line.ours("worker", "--help").text
    assert "--keepalive-seconds" in text
    assert "cleanup" in text
    assert command_line.ours("worker", "--worker-info").text.startswith("{ansible_core_version: ")
    assert command_line.ours("worker", "nonsense").rc == 64
    assert command_line.ours("worker", "--keepalive-seconds", "5", "cleanup").text == "(changed: False)\n"


@pytest.mark.parametrize("delete", [True, False])
def test_the_directory_of_a_running_job_is_never_removed(
    commands: Commands, project: Project, tmp_path: Path, delete: bool
) -> None:
    """A worker's directory stays as long as its job runs, however old it looks, and holds no file for that."""
    project.playbook("- raw: touch {{ here }}/started; while test ! -e {{ here }}/go; do sleep 0.1; done")
    sent = commands.ours("transmit", project.path, "-p", "test.yml", "--cmdline", f"-e here={tmp_path}")
    (tmp_path / "sent").write_bytes(sent.stdout)
    directory = tmp_path / "awx_7_x"
    with open(tmp_path / "sent", "rb") as stream:
        options = ["--delete"] if delete else []
        worker = commands.start("worker", "--private-data-dir", directory, *options, stdin=stream.fileno())
    wait_until((tmp_path / "started").exists, "the job runs")
    done = commands.ours("worker", "cleanup", f"--file-pattern={tmp_path}/awx_*", "--grace-period=0")
    assert done.text == f"Excluding running project {directory} from cleanup\n(changed: False)\n"
    assert sorted(path.name for path in directory.iterdir()) == ["artifacts", "env", "inventory", "project"]
    (tmp_path / "go").touch()
    worker.communicate(timeout=60)
    assert worker.returncode == 0
    done = commands.ours("worker", "cleanup", f"--file-pattern={tmp_path}/awx_*", "--grace-period=0")
    assert done.text.endswith(f"(changed: {not delete})\n")
    assert not directory.exists()


def test_what_a_killed_worker_left_is_removed_by_a_bare_wildcard(
    commands: Commands, project: Project, tmp_path: Path
) -> None:
    """The mark of a worker's own directory makes it go where the pattern names nothing; others stay."""
    (tmp_path / "there" / "other").mkdir(parents=True)
    sent = commands.ours("transmit", project.path, "-p", "test.yml")
    done = commands.ours("worker", "--private-data-dir", tmp_path / "there/kept", stdin=sent.stdout)
    assert done.rc == 0
    done = commands.ours("worker", "cleanup", f"--file-pattern={tmp_path}/there/*", "--grace-period=0")
    assert left(tmp_path / "there") == ["other"]
    assert "warning: kept" in done.stderr


def submit(commands: Commands, node: ServedNode, params: str) -> str:
    """Submit work as AWX does, with receptorctl; return what it printed."""
    done = commands.run(
        BIN / "receptorctl", "--socket", node.socket, "work", "submit", "receptor-runner", "--no-payload",
        "--follow", "--rm", "-a", f"params={params}",
    )  # fmt: skip
    return done.text


def test_the_parameters_of_awx_work_through_a_node(
    commands: Commands, node: ServedNode, litter: Path, engine: Path
) -> None:
    """AWX's exact string, appended to `worker`, does all that it says (a stand-in for podman shows the words)."""
    told = submit(commands, node, AWX_PARAMS.format(pattern=f"{litter}/awx_*_*", engine=engine))
    lines = [
        f"Removed 2 private data dir(s) in pattern {litter}/awx_*_*",
        "Removed 2 image(s)",
        "Pruned images",
        "(changed: True)",
    ]
    assert [line for line in told.splitlines() if line in lines] == lines
    assert left(litter) == ["awx_2_b", "awx_3_c", "awx_5_file"]
    assert (engine.parent.parent / "words").read_text().splitlines() == [
        "ps --all --quiet --no-trunc --filter label=receptor-runner.private-data-dir",
        "images --format={{.Repository}}:{{.Tag}} q.io/a:1",
        "untag q.io/a:1 q.io/a:1",
        "images --format={{.Repository}}:{{.Tag}} q.io/b:2",
        "untag q.io/b:2 q.io/b:2",
        "image prune -f",
    ]


def on_node(commands: Commands, node: ServedNode, litter: Path, *words: str) -> Finished:
    """Run `cleanup` on a node over the litter."""
    return commands.ours("cleanup", "--socket", node.socket, f"--file-pattern={litter}/awx_*_*", *words)


def no_units(node: ServedNode) -> bool:
    """Whether a node has forgotten all its units."""
    from receptor_runner.receptor.control.protocol import Control

    return not Control(str(node.socket)).units()


def test_cleanup_runs_on_the_node_and_leaves_no_unit(
    commands: Commands, node: ServedNode, litter: Path
) -> None:
    """The lines of the worker there are printed here, its exit code is ours, and its unit is released."""
    done = on_node(commands, node, litter, "--exclude-strings", "awx_1_a", "it's # odd")
    assert (done.rc, done.stderr) == (0, "")
    assert done.text.endswith(f"Removed 3 private data dir(s) in pattern {litter}/awx_*_*\n(changed: True)\n")
    assert left(litter) == ["awx_1_a", "awx_5_file"]
    assert no_units(node)


def test_cleanup_on_a_node_fails_as_the_worker_there_does(
    commands: Commands, node: ServedNode, litter: Path
) -> None:
    """What was done is printed, what failed is told, and the exit code is the worker's own."""
    done = on_node(commands, node, litter, "--image-prune", "--process-isolation-executable=none")
    assert done.rc == 66
    assert done.text.splitlines()[-1] == "(changed: True)"
    assert "the container engine `none` cannot be run" in done.text
    assert "error: the clean-up of node `primary` failed" in done.stderr
    refused = commands.ours("cleanup", "--socket", node.socket, "--file-pattern=/hom*")
    assert refused.rc == 64
    assert "Provided pattern could result in deleting system folders: /home" in refused.text
    assert no_units(node)


def test_cleanup_on_a_node_gives_its_report_as_json(
    commands: Commands, node: ServedNode, litter: Path
) -> None:
    """The worker's object comes through, with the node's name; a dry run removes nothing."""
    done = on_node(commands, node, litter, "--json", "--dry-run")
    report = json.loads(done.text)
    assert (done.rc, report["node"], report["dry_run"], len(report["removed"])) == (0, "primary", True, 4)
    assert len(left(litter)) == 5


def test_a_worker_of_ansible_runner_cleans_up_too(
    commands: Commands, node_factory: NodeFactory, litter: Path
) -> None:
    """The words we send are those that ansible-runner understands; what it does not know is an error, not silence."""
    node = node_factory("embedded")
    node.kill()
    text = node.config.read_text().replace("receptor-runner\n", "ansible-runner\n")
    node.config.write_text(text)
    node.start()
    done = on_node(commands, node, litter, "--dry-run")
    assert done.rc == 2
    assert "unrecognized arguments: --dry-run" in done.text
    done = on_node(commands, node, litter, "--dry-run", "--json")
    assert (done.rc, json.loads(done.text)["error"]["exit_code"]) == (76, 76)
    done = on_node(commands, node, litter, "--exclude-strings=awx_1_a,awx_2_b", "--grace-period=5")
    assert done.text.endswith("(changed: True)\n")
    assert left(litter) == ["awx_1_a", "awx_2_b", "awx_5_file"]


def test_a_work_command_that_takes_no_parameters_is_named(
    commands: Commands, node_factory: NodeFactory, litter: Path
) -> None:
    """Without allowruntimeparams nothing runs, and the way on is told."""
    node = node_factory("embedded")
    node.kill()
    node.config.write_text(node.config.read_text().replace("allowruntimeparams: true", ""))
    node.start()
    done = on_node(commands, node, litter)
    assert done.rc == 69
    assert "allowruntimeparams: true" in done.stderr
    assert len(left(litter)) == 5


def test_a_terminated_cleanup_takes_its_unit_along(
    commands: Commands, node: ServedNode, litter: Path, tmp_path: Path
) -> None:
    """SIGTERM ends the clean-up on the node as well, and the unit is gone."""
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\ntouch {tmp_path}/waits\nexec sleep 60\n")
    slow.chmod(0o755)
    words = ["--image-prune", f"--process-isolation-executable={slow}"]
    client = commands.start("cleanup", "--socket", node.socket, *words)
    wait_until((tmp_path / "waits").exists, "the engine is asked")
    client.send_signal(signal.SIGTERM)
    client.communicate(timeout=60)
    assert client.returncode == 143
    wait_until(lambda: no_units(node), "the unit is gone")


def test_a_refusal_on_the_node_is_the_report(commands: Commands, node: ServedNode) -> None:
    """With --json too it has the exit code of the clean-up there, and its words."""
    words = ("--socket", node.socket, "--file-pattern", "/", "--json")
    done = commands.ours("cleanup", *words)
    failure = json.loads(done.text)["error"]
    assert (done.rc, failure["exit_code"]) == (64, 64)
    assert "system folders" in failure["what"]
