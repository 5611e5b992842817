"""`receptor-runner metrics`: whose jobs, which certificates, and a file that is replaced in one step."""

from __future__ import annotations

import re
import shlex
import stat
import subprocess
from configparser import RawConfigParser
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from receptor_runner.mesh.authority import Authority
from tests.harness import OURS, CommandLine, Commands, Project
from tests.harness.containers import skip_without
from tests.metrics.test_figures import samples

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture
def ran(commands: Commands, project: Project) -> Project:
    """A project of which one job has run in an embedded node."""
    assert commands.ours("run", project.path, "-p", "test.yml", "-i", "one").rc == 0
    return project


def test_a_job_that_ran(commands: Commands, ran: Project) -> None:
    """Its state, duration and bytes are there, the same whether it is found by its directory or among all jobs."""
    done = commands.ours("metrics", ran.path, ran.path)
    assert done.rc == 0, done.stderr
    found = samples(done.text)
    assert found["receptor_runner_jobs", (("node", "primary"), ("state", "successful"))] == 1
    assert found["receptor_runner_job_duration_seconds_count", ()] == 1
    assert found["receptor_runner_sent_bytes", ()] > 100
    record = ran.record("one")
    assert found["receptor_runner_sent_bytes", ()] == record["sent_bytes"]
    assert found["receptor_runner_received_bytes", ()] == record["checkpoint"]["position"]["offset"]
    assert found["receptor_runner_units_left", ()] == 0
    everywhere = samples(commands.ours("metrics").text)
    assert everywhere["receptor_runner_jobs", (("node", "primary"), ("state", "successful"))] >= 1


def test_the_file_is_replaced_in_one_step(commands: Commands, ran: Project, tmp_path: Path) -> None:
    """Everybody may read it, nothing else is left beside it, and stdout stays empty."""
    target = tmp_path / "out" / "jobs.prom"
    target.parent.mkdir()
    target.write_text("old")
    before = target.stat().st_ino
    done = commands.ours("metrics", ran.path, "-o", target)
    assert (done.rc, done.text) == (0, "")
    assert samples(target.read_text())
    assert target.stat().st_ino != before
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert list(target.parent.iterdir()) == [target]


def test_a_file_that_cannot_be_written(commands: Commands, ran: Project, tmp_path: Path) -> None:
    """It is named, with exit code 74."""
    done = commands.ours("metrics", ran.path, "-o", tmp_path / "none" / "x.prom")
    assert done.rc == 74
    assert "cannot write" in done.stderr


@pytest.mark.parametrize("name", [".", "/", "none/.."])
def test_a_directory_is_no_file(command_line: CommandLine, name: str) -> None:
    """The name of a directory is a failed write too, with exit code 74."""
    (command_line.cwd / "none").mkdir()
    done = command_line.ours("metrics", "-o", name)
    assert (done.rc, done.stderr.splitlines()[0]) == (74, f"error: cannot write {Path(name)}")


def test_certificates(commands: Commands, tmp_path: Path) -> None:
    """Those of a receptor.yml and those that are named, each once."""
    authority = Authority.create("test", lifetime=timedelta(days=100))
    (tmp_path / "ca.crt").write_bytes(authority.pair().public)
    for name, left in (("a", 10), ("b", -3)):
        pair = authority.issue([name], ["127.0.0.1"], lifetime=timedelta(days=left))
        (tmp_path / f"{name}.crt").write_bytes(pair.public)
    config = tmp_path / "receptor.yml"
    config.write_text(
        f"- tls-client:\n    name: x\n    cert: {tmp_path}/a.crt\n    key: {tmp_path}/a.key\n"
        f"    rootcas: {tmp_path}/ca.crt\n"
    )
    words = (
        "--config",
        config,
        "--certificate",
        tmp_path / "b.crt",
        "--certificate",
        tmp_path / "a.crt",
    )
    done = commands.ours("metrics", *words)
    assert done.rc == 0, done.stderr
    days = {
        Path(dict(labels)["path"]).name: value
        for (name, labels), value in samples(done.text).items()
        if name == "receptor_runner_certificate_remaining_days"
    }
    assert days.keys() == {"a.crt", "b.crt", "ca.crt"}
    assert (round(days["a.crt"]), round(days["b.crt"])) == (10, -3)


@pytest.mark.parametrize("option", ["--certificate", "--config"])
def test_a_certificate_that_cannot_be_read(commands: Commands, tmp_path: Path, option: str) -> None:
    """It is a fault of the configuration, and the old file stays."""
    target = tmp_path / "x.prom"
    target.write_text("old")
    done = commands.ours("metrics", option, tmp_path / "none", "-o", target)
    assert (done.rc, target.read_text()) == (78, "old")
    assert str(tmp_path / "none") in done.stderr


def blocks(kind: str) -> list[str]:
    """Return the examples of a kind on the page."""
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def run_example(commands: Commands, line: str, tmp_path: Path) -> Path:
    """Run a command line of the page, with its program and files here; return the file that it wrote."""
    target = tmp_path / "receptor-runner.prom"
    config = tmp_path / "receptor.yml"
    config.write_text("- node:\n    id: a\n")
    places = {
        "/opt/receptor-runner/bin/receptor-runner": OURS,
        "/etc/receptor/receptor.yml": str(config),
        "/var/lib/node_exporter/receptor-runner.prom": str(target),
    }
    words = [places.get(word, word) for word in shlex.split(line)]
    assert set(places.values()) >= {word for word in words if word.startswith("/")}
    done = commands.run(*words)
    assert (done.rc, done.stderr) == (0, "")
    return target


def test_the_units_for_systemd(commands: Commands, tmp_path: Path) -> None:
    """The command of the service on the page writes the file; the timer belongs to it."""
    service, timer = (RawConfigParser() for _ in range(2))
    for unit, text in zip((service, timer), blocks("ini"), strict=True):
        unit.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
        unit.read_string(text)
    assert service["Service"]["Type"] == "oneshot"
    assert samples(run_example(commands, service["Service"]["ExecStart"], tmp_path).read_text())
    assert (timer["Timer"]["OnCalendar"], timer["Install"]["WantedBy"]) == ("minutely", "timers.target")


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say about the units on the page, once the program exists."""
    skip_without("systemd-analyze")
    files = [tmp_path / f"receptor-runner-metrics.{kind}" for kind in ("service", "timer")]
    for file, text in zip(files, blocks("ini"), strict=True):
        file.write_text(text.replace("/opt/receptor-runner/bin/receptor-runner", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_line_for_cron(commands: Commands, tmp_path: Path) -> None:
    """The command of the line on the page writes the file."""
    (line,) = blocks("cron")
    assert samples(run_example(commands, line.split(maxsplit=5)[5], tmp_path).read_text())


def test_the_alerts_name_what_there_is(commands: Commands) -> None:
    """Each metric that an alert on the page names is one that is printed."""
    (rules,) = (yaml.safe_load(text) for text in blocks("yaml"))
    printed = set(re.findall(r"# TYPE (\w+)", commands.ours("metrics").text))
    used = {
        name
        for rule in rules["groups"][0]["rules"]
        for name in re.findall(r"receptor_runner_\w+", rule["expr"])
    }
    assert used <= printed
    assert used
