"""The job as a value: read once, checked once, the same on both sides."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from receptor_runner.errors import UsageError
from receptor_runner.job import Job, check_ident, new_ident


def test_what_was_given_comes_back() -> None:
    """A job gives back the options it was read from, without those that are None or not about the job."""
    given = {"ident": "1", "playbook": "p", "forks": 5, "extravars": {"a": [1]}, "quiet": False}
    noise = {"keepalive_seconds": 3, "debug": True, "logfile": "x", "ignore_logging": False, "limit": None}
    assert Job.from_kwargs(given | noise).to_kwargs() == given
    assert Job.from_kwargs(Job.from_kwargs(given).to_kwargs()) == Job.from_kwargs(given)


@pytest.mark.parametrize(
    ("key", "given", "read"),
    [
        ("ident", 7, "7"),
        ("ident", uuid.UUID(int=1), "0" * 31 + "1"),
        ("forks", "5", 5),
        ("verbosity", 2, 2),
        ("timeout", 3, 3.0),
        ("quiet", 1, True),
        ("limit", 5, "5"),
        ("inventory", ["a", "b"], ["a", "b"]),
        ("playbook", [{"hosts": "all"}], [{"hosts": "all"}]),
    ],
)
def test_values_are_read_as_their_fields_want_them(key: str, given: Any, read: Any) -> None:
    """Numbers for texts and texts for numbers are taken, as callers of the peer send them."""
    assert getattr(Job.from_kwargs({key: given}), key) == read


@pytest.mark.parametrize(
    ("key", "given", "wanted"),
    [
        ("forks", "many", "a whole number"),
        ("timeout", [], "a number"),
        ("quiet", "yes", "true or false"),
        ("limit", ["a"], "text or a number"),
        ("limit", True, "text or a number"),
        ("envvars", "A=b", "a mapping"),
        ("playbook", 5, "text or a list of plays or a mapping"),
        ("inventory", 5, "text or a list of texts or a mapping"),
        ("inventory", ["a", 5], "text or a list of texts or a mapping"),
        ("extravars", ["a"], "text or a mapping"),
        ("container_options", "x", "a list of texts"),
        ("roles_path", {"a": 1}, "text or a list of texts"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(key: str, given: Any, wanted: str) -> None:
    """The error names the option, its value and what is wanted instead."""
    with pytest.raises(UsageError, match=f"`{key}`") as caught:
        Job.from_kwargs({key: given})
    assert caught.value.cause == f"expected {wanted}"


def test_a_secret_is_not_in_an_error() -> None:
    """A secret of the wrong kind is described by its type."""
    with pytest.raises(UsageError, match="`passwords`: a str") as caught:
        Job.from_kwargs({"passwords": "s3cret"})
    assert "s3cret" not in str(caught.value)


def test_an_unknown_option_gets_the_nearest_known_one() -> None:
    """An option that does not exist is an error that proposes one, or says where they are listed."""
    with pytest.raises(UsageError, match="unknown job option `playbok`") as caught:
        Job.from_kwargs({"playbok": "p"})
    assert caught.value.hint == "did you mean `playbook`?"
    with pytest.raises(UsageError) as caught:
        Job.from_kwargs({"zzzzzz": 1})
    assert "`Compatibility with ansible-runner 2.4` of the documentation" in str(caught.value.hint)


@pytest.mark.parametrize("bad", ["", ".", "..", "a/b", "a\0b", "ü" * 128])
def test_an_ident_names_a_directory(bad: str) -> None:
    """An ident that cannot be the name of a directory is refused."""
    with pytest.raises(UsageError, match="invalid ident"):
        check_ident(bad)


def test_fresh_idents_and_digests() -> None:
    """A fresh ident is 32 digits; a digest depends on all options but the ident, and not on their order."""
    assert len(new_ident()) == 32
    assert int(new_ident(), 16) != int(new_ident(), 16)
    assert Job(ident="1", tags="a").digest() == Job(ident="2", tags="a").digest()
    assert Job(tags="a").digest() != Job(skip_tags="a").digest()
    assert Job(extravars={"a": 1, "b": 2}).digest() == Job(extravars={"b": 2, "a": 1}).digest()


def test_what_there_is_to_run() -> None:
    """A job has a target if it names a playbook, a module, a role or a program."""
    assert not Job(inventory="x").has_target
    assert all(job.has_target for job in (Job(playbook="p"), Job(module="m"), Job(role="r"), Job(binary="b")))
