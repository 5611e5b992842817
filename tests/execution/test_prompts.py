"""Prompts are answered, and one that nobody answers ends the job."""

from __future__ import annotations

import json

import pytest
from receptor_runner.errors import ConfigError
from receptor_runner.execution.prompts import Answers
from receptor_runner.outcome import Status
from tests.execution.conftest import Workplace

PROMPTS = """\
  vars_prompt:
    - {name: secret, prompt: Secret word, private: true}
    - {name: plain, prompt: Plain word, private: false}
"""


def test_an_anchored_pattern_matches_behind_colour_codes() -> None:
    """A prompt that begins with escape codes is found by a pattern that begins with `^`."""
    answers = Answers({"^Word:": "x"})
    answers.show("before\r\n\x1b[0;31mWord: ")
    assert answers.find() == "x"


def test_a_prompt_is_answered_once() -> None:
    """After an answer, only what is shown later counts."""
    answers = Answers({"Word:": "x"})
    answers.show("Word: ")
    assert answers.find() == "x"
    assert answers.find() is None
    answers.show("Word: ")
    assert answers.find() == "x"


def test_a_prompt_is_found_though_it_comes_in_pieces() -> None:
    """Text is matched as a whole, however it was cut on its way."""
    answers = Answers({"Password for .*:": "x"})
    for piece in ("Pass", "word for ", "me", ": "):
        answers.show(piece)
    assert answers.find() == "x"


def test_a_pattern_that_is_none_is_an_error() -> None:
    """A pattern that cannot be compiled is told by its number."""
    with pytest.raises(ConfigError, match="prompt number 1"):
        Answers({"(open": "x"})


def test_prompts_of_a_play_are_answered(workplace: Workplace) -> None:
    """Private and plain prompts of vars_prompt get their answers from the passwords."""
    name = workplace.playbook(
        "- debug: msg='{{ secret }}-{{ plain }}'", header=f"  gather_facts: false\n{PROMPTS}"
    )
    ran = workplace.run(playbook=name, passwords={"^Secret word:": "s3", "^Plain word:": "p4"})
    assert ran.told.named("runner_on_ok")[0]["event_data"]["res"]["msg"] == "s3-p4"


def test_a_pause_is_answered(workplace: Workplace) -> None:
    """The prompt of a pause, which ansible reads key by key, is answered too."""
    name = workplace.playbook("- pause: prompt='Go on'\n  register: it\n- debug: msg={{ it.user_input }}")
    ran = workplace.run(playbook=name, passwords={"^Go on:": "surely"})
    assert ran.told.named("runner_on_ok")[-1]["event_data"]["res"]["msg"] == "surely"


@pytest.mark.parametrize("private", ["true", "false"])
def test_a_prompt_without_answer_ends_the_job(workplace: Workplace, private: str) -> None:
    """A job that waits for an answer nobody has fails, and says which prompt it was and what would answer it."""
    header = f"  gather_facts: false\n  vars_prompt: [{{name: a, prompt: Who goes, private: {private}}}]\n"
    ran = workplace.run(
        playbook=workplace.playbook("- debug:", header=header), settings={"prompt_timeout": 1}
    )
    assert ran.outcome.status is Status.FAILED
    explanation = ran.told.statuses[-1]["job_explanation"]
    assert "Who goes" in explanation
    entry = json.loads(explanation[explanation.index("{") :])
    answered = workplace.run(
        playbook=workplace.playbook("- debug: msg={{ a }}", header=header), passwords=entry
    )
    assert answered.told.named("runner_on_ok")[0]["event_data"]["res"]["msg"] == "..."


@pytest.mark.slow
def test_a_prompt_without_answer_is_reported_while_it_stands(workplace: Workplace) -> None:
    """Long before the job is stopped for it, whoever follows the job reads the prompt."""
    name = workplace.playbook("- pause: prompt='Anybody'")
    ran = workplace.run(playbook=name, settings={"prompt_timeout": 4})
    (remark,) = ran.told.remarks
    assert "Anybody" in remark
    assert "stopped after 4 s" in remark


def test_a_pause_without_answer_ends_the_job(workplace: Workplace) -> None:
    """The same holds for a pause."""
    name = workplace.playbook("- pause: prompt='Anybody'")
    ran = workplace.run(playbook=name, settings={"prompt_timeout": 1})
    assert ran.outcome.status is Status.FAILED
    assert "Anybody" in ran.told.statuses[-1]["job_explanation"]


@pytest.mark.slow
def test_waiting_without_a_prompt_is_no_fault(workplace: Workplace) -> None:
    """A timed pause and a silent task outlast the limit for prompts."""
    name = workplace.playbook("- pause: seconds=3\n- command: sleep 3")
    ran = workplace.run(playbook=name, settings={"prompt_timeout": 1})
    assert ran.outcome.status is Status.SUCCESSFUL
