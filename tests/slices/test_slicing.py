"""Hosts are cut as AWX cuts them, and each slice limits Ansible to its own hosts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from receptor_runner.artifacts import slice_ident, sliced_job_ident
from receptor_runner.slices.slicing import cut, limit_lines, names_localhost

HOSTS = st.lists(st.text("abc-19.:", min_size=1, max_size=6), max_size=40)


def test_every_nth_host_by_name() -> None:
    """Hosts are sorted, and each slice takes every nth from its own offset."""
    assert cut(["d", "a", "c", "b", "e"], 2) == [("a", "c", "e"), ("b", "d")]


@given(HOSTS, st.integers(1, 50))
def test_slices_are_a_partition_and_even(hosts: list[str], count: int) -> None:
    """Each host is in exactly one slice, no slice is empty, and sizes differ by one at most."""
    slices = cut(hosts, count)
    assert sorted(host for part in slices for host in part) == sorted(set(hosts))
    sizes = [len(part) for part in slices]
    assert len(sizes) == min(count, len(set(hosts)))
    assert not sizes or (min(sizes) >= 1 and max(sizes) - min(sizes) <= 1)


@given(HOSTS, st.integers(1, 5))
def test_slices_do_not_depend_on_the_order(hosts: list[str], count: int) -> None:
    """The same hosts make the same slices in whatever order Ansible lists them."""
    assert cut(list(reversed(hosts)), count) == cut(hosts, count)


def test_the_ident_of_a_slice_leads_to_its_whole() -> None:
    """A slice's ident is made from that of the sliced job and leads back to it; other idents lead nowhere."""
    assert sliced_job_ident(slice_ident("deploy", 12)) == "deploy"
    assert sliced_job_ident(slice_ident("a-slice-1", 2)) == "a-slice-1"
    assert [
        sliced_job_ident(name) for name in ("deploy", "deploy-slice-", "deploy-slice-0", "-slice-1x")
    ] == [None] * 4


def test_a_limit_file_names_a_host_a_line() -> None:
    """Each host has a line; the implicit localhost is added only where no host stands for it already."""
    assert limit_lines(("a", "b"), with_localhost=False) == "a\nb\n"
    assert limit_lines(("a", "b"), with_localhost=True) == "a\nb\nlocalhost\n"
    assert limit_lines(("127.0.0.1", "b"), with_localhost=True) == "127.0.0.1\nb\n"


def test_plays_for_localhost_run_as_without_slices() -> None:
    """Without a limit plays for the implicit localhost run; under one only if it is named."""
    assert [names_localhost(limit) for limit in (None, "web", "web:localhost", "localhost,db")] == [
        True,
        False,
        True,
        True,
    ]
