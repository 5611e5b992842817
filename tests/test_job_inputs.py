"""The inputs below `env/`, and their precedence."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.env_files import EnvFiles
from receptor_runner.errors import ConfigError
from receptor_runner.job import Job
from receptor_runner.job_inputs import Inputs, read_inputs


def read(directory: Path, files: dict[str, str] | None = None, **options: Any) -> Inputs:
    for name, text in (files or {}).items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return read_inputs(Job.from_kwargs(options), EnvFiles(root=directory))


def test_settings_of_the_job_count_without_a_file(tmp_path: Path) -> None:
    """Settings that only the job gives are not lost."""
    assert read(tmp_path, settings={"job_timeout": 9}).job_timeout_s == 9


def test_settings_of_the_file_win(tmp_path: Path) -> None:
    """Where file and job have the same setting, the file's counts, and the rest is joined."""
    found = read(
        tmp_path, {"env/settings": "idle_timeout: 3"}, settings={"idle_timeout": 4, "job_timeout": 5}
    )
    assert (found.idle_timeout_s, found.job_timeout_s) == (3, 5)


def test_the_timeout_option_beats_the_setting(tmp_path: Path) -> None:
    """The job's own timeout is stronger than job_timeout."""
    assert read(tmp_path, {"env/settings": "job_timeout: 3"}, timeout=8).job_timeout_s == 8


@pytest.mark.parametrize("name", ["settings", "passwords", "envvars"])
@pytest.mark.parametrize("text", ["{ no: [", "- a\n- b\n", '"text"'])
def test_a_file_that_makes_no_sense_is_an_error(tmp_path: Path, name: str, text: str) -> None:
    """A malformed file never counts as absent."""
    with pytest.raises(ConfigError, match=f"env/{name}"):
        read(tmp_path, {f"env/{name}": text})


def test_an_empty_file_counts_as_absent(tmp_path: Path) -> None:
    """An empty file, or one of comments, adds nothing."""
    assert read(tmp_path, {"env/settings": "", "env/passwords": "# none\n"}).passwords == {}


def test_passwords_and_variables_of_the_file_win(tmp_path: Path) -> None:
    """File and job are joined, the file being stronger; values become text."""
    files = {"env/passwords": '{"a": "file"}', "env/envvars": "X: 1\nY: file"}
    found = read(tmp_path, files, passwords={"a": "job", "b": 2}, envvars={"Y": "job", "Z": True})
    assert found.passwords == {"a": "file", "b": "2"}
    assert found.envvars == {"X": "1", "Y": "file", "Z": "True"}


def test_the_jobs_key_and_command_line_win(tmp_path: Path) -> None:
    """Of ssh_key and cmdline, the job's own are stronger than the files."""
    files = {"env/ssh_key": "FILE", "env/cmdline": "--from-file"}
    assert read(tmp_path, files).ssh_key == "FILE"
    found = read(tmp_path, files, ssh_key="JOB", cmdline="--check -t 'a b'")
    assert (found.ssh_key, found.cmdline) == ("JOB", ("--check", "-t", "a b"))


def test_open_quotes_are_an_error(tmp_path: Path) -> None:
    """A command line that cannot be split is an error that names its place and does not show it."""
    with pytest.raises(ConfigError, match="cannot split the command line in the option cmdline") as caught:
        read(tmp_path, cmdline="--limit 'oops")
    assert "oops" not in " ".join(caught.value.lines())


def test_a_setting_replaces_the_option_of_its_name(tmp_path: Path) -> None:
    """suppress_output_file and its like may stand in the settings; the option counts where they do not."""
    assert read(tmp_path, suppress_output_file=True).job.suppress_output_file is True
    found = read(tmp_path, {"env/settings": "fact_cache: elsewhere"}, fact_cache="here")
    assert found.job.fact_cache == "elsewhere"


def test_a_timeout_of_nothing_is_no_limit(tmp_path: Path) -> None:
    """0 means no limit, as with ansible-runner, and a timeout of 0 leaves the word to the setting."""
    found = read(tmp_path, settings={"idle_timeout": 0, "job_timeout": 0}, timeout=0)
    assert (found.idle_timeout_s, found.job_timeout_s) == (None, None)
    assert read(tmp_path, settings={"job_timeout": 5}, timeout=0).job_timeout_s == 5


def test_a_timeout_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    """A timeout that makes no sense is not the same as none."""
    with pytest.raises(ConfigError, match="job_timeout in the option settings"):
        read(tmp_path, settings={"job_timeout": "soon"})


@pytest.mark.parametrize(
    "pattern", ["SECRET(", "SECRET[", "*SECRET", "(?P<SECRET", "(?P=SECRET)", "[S-E]CRET"]
)
def test_a_prompt_that_is_no_pattern_is_not_quoted(tmp_path: Path, pattern: str) -> None:
    """It may be a password in the place of its prompt: the error says which entry it is, and where it is wrong."""
    entries = json.dumps({"fine": "x", pattern: "y"})
    with pytest.raises(ConfigError, match="prompt number 2 in env/passwords is not a regular") as caught:
        read(tmp_path, {"env/passwords": entries})
    shown = "".join(traceback.format_exception(caught.value)) + " ".join(caught.value.lines())
    assert "SECRET" not in shown
    assert "CRET" not in shown
    assert "character" in str(caught.value)


def test_a_setting_of_the_wrong_kind_is_not_quoted(tmp_path: Path) -> None:
    """Options for a container engine may hold tokens."""
    with pytest.raises(ConfigError, match="invalid setting container_options in env/settings") as caught:
        read(tmp_path, {"env/settings": "container_options: {--env: SECRET}"})
    assert "SECRET" not in " ".join(caught.value.lines())
