"""Runs a job, from its inputs to its outcome: sends statuses and events, and writes the artifacts."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from receptor_runner.artifacts import (
    CERTIFICATE_NAME,
    artifact_directory,
    make_directory,
    make_private,
    write_atomically,
)
from receptor_runner.env_files import EnvFiles
from receptor_runner.errors import pasteable
from receptor_runner.execution.command import (
    Plan,
    build_command,
    build_cwd,
    build_env,
    check_target,
    fact_cache_directory,
)
from receptor_runner.execution.end import Cause, End
from receptor_runner.execution.event_channel import EventChannel
from receptor_runner.execution.events import Assembler, OutputFile
from receptor_runner.execution.guardian_client import GuardianClient, Program
from receptor_runner.execution.home import temporary_home
from receptor_runner.execution.input_files import write_input_files
from receptor_runner.execution.isolation.choose import choose_isolation
from receptor_runner.execution.isolation.engine import Isolation
from receptor_runner.execution.isolation.paths import as_seen_inside
from receptor_runner.execution.isolation.project_copy import copy_project
from receptor_runner.execution.limits import Limits
from receptor_runner.execution.prompts import Answers, password_entry
from receptor_runner.execution.redaction import redact
from receptor_runner.execution.session import Session
from receptor_runner.execution.sink import Sink
from receptor_runner.execution.ssh_agent import SshAgent
from receptor_runner.execution.start_failure import check_arguments, not_started
from receptor_runner.job import Job
from receptor_runner.job_inputs import Inputs, read_inputs
from receptor_runner.outcome import RC_STOPPED, Outcome, Status
from receptor_runner.rotation import rotate_artifacts
from receptor_runner.system.cancel import CancelToken
from receptor_runner.system.files import remove_tree
from receptor_runner.system.interpreter import installed_script


def execute(
    job: Job,
    private_data_dir: Path,
    *,
    ident: str,
    sink: Sink,
    stop: CancelToken,
    guardian: GuardianClient | None = None,
) -> Outcome:
    """Run a job whose files are in place, in any thread.

    Args:
        job: what to run.
        private_data_dir: its files.
        ident: the name of its artifacts directory.
        sink: receives status lines and events, in order; the final status before this returns.
        stop: requests that the job be stopped.
        guardian: a guardian that is running already; by default the job gets its own.

    Raises:
        RunnerError: the job cannot be run; no status was sent.
    """
    private_data_dir = private_data_dir.absolute()
    with ExitStack() as stack:
        prepared = prepare(job, private_data_dir, ident)
        stack.callback(prepared.remove_temporary_files)
        return Run(prepared, sink, stop).perform(guardian or stack.enter_context(GuardianClient()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A job that is ready to run: its inputs are read and checked."""

    ident: str
    inputs: Inputs
    plan: Plan
    artifact_dir: Path
    answers: Answers
    agent: SshAgent | None
    isolation: Isolation

    def remove_temporary_files(self) -> None:
        """Remove what was created for the time of the job."""
        if self.agent:
            self.agent.remove()
        self.isolation.close()
        if self.plan.home:
            remove_tree(self.plan.home)
        if self.plan.copy and self.inputs.settings.get("directory_isolation_cleanup", True):
            remove_tree(self.plan.copy)


def prepare(job: Job, private_data_dir: Path, ident: str) -> Prepared:
    """Read and check a job's inputs, write its files, and plan its command."""
    artifact_dir = artifact_directory(private_data_dir, job.artifact_dir, ident).absolute()
    files = EnvFiles(root=private_data_dir)
    inputs = read_inputs(job, files)
    isolation = choose_isolation(inputs.job, private_data_dir, artifact_dir, ident)
    placed = write_input_files(inputs.job, private_data_dir)
    inputs = replace(read_inputs(placed, files), settings=inputs.settings)
    check_target(inputs)
    plan, agent = _plan(inputs, private_data_dir, artifact_dir, isolation)
    return Prepared(
        ident=ident,
        inputs=inputs,
        plan=plan,
        artifact_dir=artifact_dir,
        answers=Answers(inputs.passwords),
        agent=agent,
        isolation=isolation,
    )


def _plan(
    inputs: Inputs, private_data_dir: Path, artifact_dir: Path, isolation: Isolation
) -> tuple[Plan, SshAgent | None]:
    seen, inside = as_seen_inside(inputs, private_data_dir, isolation), isolation.inside
    env = build_env(
        seen,
        inside(private_data_dir),
        inside(artifact_dir),
        isolation.base_environment(os.environ),
        isolation.callback_directory,
    )
    cwd = build_cwd(inputs, env, private_data_dir)
    command = build_command(seen, inside(private_data_dir))
    check_arguments(command, env)
    with ExitStack() as undone:
        home = temporary_home(env) if isolation.shares_paths else None
        if home:
            undone.callback(remove_tree, home)
            env |= {"HOME": str(home)}
        programs = env if isolation.shares_paths else os.environ
        agent = SshAgent(programs, artifact_dir / CERTIFICATE_NAME) if inputs.ssh_key else None
        if agent:
            undone.callback(agent.remove)
            env |= {name: str(isolation.shared(Path(value))) for name, value in agent.variables.items()}
        copy = copy_project(inputs.job, cwd)
        undone.pop_all()
    plan = Plan(
        command=_findable(command, env) if isolation.shares_paths else command,
        env=env,
        cwd=isolation.working_directory(copy or cwd),
        shared=(agent.directory,) if agent else (),
        copy=copy,
        home=home,
    )
    return plan, agent


def _findable(command: tuple[str, ...], env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the command; a program that is not on the job's PATH is taken from where packages install scripts."""
    if shutil.which(command[0], path=env.get("PATH")) is None:
        return (installed_script(command[0]) or command[0], *command[1:])
    return command


class Run:
    """One run of a prepared job."""

    def __init__(self, prepared: Prepared, sink: Sink, stop: CancelToken) -> None:
        self._prepared = prepared
        self._sink = sink
        self._stop = stop

    def perform(self, guardian: GuardianClient) -> Outcome:
        """Run the job, send its statuses and events, and write its artifacts."""
        for directory in filter(None, (self._prepared.plan.copy, self._prepared.plan.home)):
            guardian.remove_on_exit(directory)
        isolation = self._prepared.isolation
        isolation.open(guardian)
        self._program = isolation.wrap(self._prepared.plan)
        self._send_start()
        self._create_artifacts()
        output = self._open_output()
        assembler = Assembler(ident=self._prepared.ident, sink=self._sink, output=output)
        try:
            self._send(Status.RUNNING)
            outcome = self._run_programs(guardian, assembler)
        finally:
            output.close()
        self._finish(outcome)
        return outcome

    def _shown_plan(self) -> dict[str, object]:
        plan = self._prepared.plan
        return {"command": list(self._program.argv), "env": redact(plan.env), "cwd": str(plan.cwd)}

    def _send_start(self) -> None:
        start: dict[str, object] = {"status": Status.STARTING.value, "runner_ident": self._prepared.ident}
        if self._prepared.inputs.job.suppress_output_file:
            start |= {"suppress_output_file": True}  # process cannot see the settings in the job's archive
        self._sink.status({**start, **self._shown_plan()})

    def _send(self, status: Status, explanation: str | None = None) -> None:
        line = {"status": status.value, "runner_ident": self._prepared.ident}
        self._sink.status(line | ({"job_explanation": explanation} if explanation else {}))

    def _create_artifacts(self) -> None:
        directory = make_directory(self._prepared.artifact_dir)
        make_directory(directory / "job_events")
        facts = fact_cache_directory(self._prepared.inputs.job, directory)
        if facts is not None:
            make_directory(facts)
        shown = self._shown_plan()
        content = {key: shown[key] for key in ("command", "cwd", "env")}
        write_atomically(directory / "command", _json(content))
        rotate_artifacts(directory, self._prepared.inputs.job.rotate_artifacts or 0)

    def _open_output(self) -> OutputFile:
        job, directory = self._prepared.inputs.job, self._prepared.artifact_dir
        if job.suppress_output_file:
            return OutputFile(None, as_json=False)
        write_atomically(directory / "stderr", b"")
        return OutputFile(directory / "stdout", as_json=bool(job.json_mode))

    def _run_programs(self, guardian: GuardianClient, assembler: Assembler) -> Outcome:
        """Run the isolation's preparation, ssh-add if there is a key, then the job, each in its own terminal."""
        agent, key = self._prepared.agent, self._prepared.inputs.ssh_key
        limits = self._limits()
        if preparation := self._prepared.isolation.preparation():
            outcome = self._run_program(preparation, guardian, assembler, limits)
            if outcome.status is not Status.SUCCESSFUL:
                return outcome
        if agent and key:
            agent.start(guardian)
            with agent.adding(key) as program:
                outcome = self._run_program(program, guardian, assembler, limits)
            if outcome.status is not Status.SUCCESSFUL:
                return outcome
        return self._run_program(self._program, guardian, assembler, limits)

    def _limits(self) -> Limits:
        inputs = self._prepared.inputs
        timeout_s = inputs.job_timeout_s
        return Limits(
            deadline=None if timeout_s is None else time.monotonic() + timeout_s,
            idle_timeout_s=inputs.idle_timeout_s,
            prompt_timeout_s=inputs.prompt_timeout_s,
        )

    def _run_program(
        self, program: Program, guardian: GuardianClient, assembler: Assembler, limits: Limits
    ) -> Outcome:
        session = Session(
            guardian=guardian,
            assembler=assembler,
            answers=self._prepared.answers,
            limits=limits,
            stop=self._stop,
            on_prompt=lambda prompt: self._report_prompt(prompt, limits.prompt_timeout_s),
        )
        try:
            end = session.run(program, self._open_channel(program))
            if end.undone:
                self._sink.remark(
                    f"a container is left, which its engine did not remove; try: {pasteable(*end.undone)}"
                )
            return self._prepared.isolation.judge(program, end) or judge(end, program.argv[0])
        except OSError as error:
            if error.filename not in {program.argv[0], str(program.cwd)}:
                raise
            text, outcome = not_started(error, program)
            assembler.add_text(text)
            return outcome

    def _report_prompt(self, prompt: str, timeout_s: float) -> None:
        self._sink.remark(
            f"the job waits at the prompt {prompt!r}, which no password matches; it is stopped after {timeout_s:g} s"
        )

    def _open_channel(self, program: Program) -> EventChannel:
        is_job = program is self._program
        return self._prepared.isolation.open_channel() if is_job else EventChannel.inherited()

    def _finish(self, outcome: Outcome) -> None:
        directory = self._prepared.artifact_dir
        facts = fact_cache_directory(self._prepared.inputs.job, directory)
        if facts is not None:
            make_private(facts)  # Ansible makes the files of its cache readable for everybody
        write_atomically(directory / "status", outcome.status.value.encode())
        write_atomically(directory / "rc", str(outcome.rc).encode())
        self._send(outcome.status, outcome.explanation)


def _json(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogateescape")


def judge(end: End, program: str) -> Outcome:
    """Return the outcome of a job.

    Args:
        end: how its program ended.
        program: the name of the program.

    Source: ansible-runner's return code for a stopped job, 254; a shell's for one killed by signal n, 128 + n.
    """
    left = f"; processes {', '.join(map(str, end.left))} could not be killed" if end.left else ""
    if end.cause is Cause.CANCELED:
        return Outcome(status=Status.CANCELED, rc=RC_STOPPED, explanation=left.removeprefix("; ") or None)
    if end.cause is Cause.UNANSWERED:
        entry = password_entry(end.last_line)
        why = f"stopped: {end.cause}: {end.last_line!r}; this entry of `passwords` would: {entry}{left}"
        return Outcome(status=Status.FAILED, rc=RC_STOPPED, explanation=why)
    if end.cause is not Cause.EXITED:
        return Outcome(status=Status.TIMEOUT, rc=RC_STOPPED, explanation=f"stopped: {end.cause}{left}")
    assert end.exit is not None
    code = end.exit.code
    if code < 0:
        why = f"{program} was killed by signal {-code} ({end.exit.signal_name}{_guess(-code)})"
        return Outcome(status=Status.FAILED, rc=128 - code, explanation=why)
    return Outcome(status=Status.FAILED if code else Status.SUCCESSFUL, rc=code)


def _guess(number: int) -> str:
    return "; out of memory?" if number == 9 else ""
