"""Splitting parameters into words."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receptor_runner.node.command_line import UnbalancedQuotes, join_params, split_params


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))))
def test_quoted_words_come_back(words: list[str]) -> None:
    """What shell quoting protects is one word each, whatever is in it."""
    assert split_params(shlex.join(words)) == words


@given(st.text())
def test_any_text_gives_words_or_an_error(text: str) -> None:
    """Every text is either words or unbalanced, in linear time."""
    try:
        assert all(isinstance(word, str) for word in split_params(text))
    except UnbalancedQuotes as error:
        assert str(error).startswith("EOF found ")


def test_long_params_take_no_time() -> None:
    """A megabyte of parameters is split without backtracking."""
    assert len(split_params("word 'quoted word' " * 50_000)) == 100_000
    with pytest.raises(UnbalancedQuotes):
        split_params("a" * 1_000_000 + '"')


@pytest.mark.parametrize(
    ("base", "runtime", "joined"), [("", "", ""), ("a", "", "a"), ("", "b", "b"), ("a b", "c", "a b c")]
)
def test_params_are_joined(base: str, runtime: str, joined: str) -> None:
    """Base and runtime parameters are joined by a space, and an absent one leaves none."""
    assert join_params(base, runtime) == joined
