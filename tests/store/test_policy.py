"""What a store keeps and what it gives up, without a disk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receptor_runner.store.policy import Kept, may_be_kept, superfluous


@pytest.mark.parametrize(
    "name",
    ["project/site.yml", "roles/r/tasks/main.yml", "collections/ansible_collections/a/b/x", "outside/0/x"],
)
def test_files_of_projects_roles_and_collections_may_be_kept(name: str) -> None:
    """They are the same from job to job."""
    assert may_be_kept(name, 0o100644)


@pytest.mark.parametrize(
    "name",
    [
        "env/ssh_key",
        "inventory/hosts",
        "artifacts/1/fact_cache/h",
        "secrets/vault",
        "args",
        "project",
        "project/group_vars/all.yml",
        "project/inventories/prod/hosts.yml",
        "project/hosts",
    ],
)
def test_nothing_else_may_be_kept(name: str) -> None:
    """Environment, inventories, artifacts and secrets are of one job alone."""
    assert not may_be_kept(name, 0o100644)


def test_what_only_its_owner_may_read_is_a_secret() -> None:
    """Keys and password files in a project are not kept."""
    assert not may_be_kept("project/.vault_pass", 0o100600)


kept_files = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 9)).map(lambda pair: Kept("x", *pair)), max_size=12
).map(lambda files: [file._replace(name=str(number)) for number, file in enumerate(files)])


@given(kept_files, st.integers(0, 300))
def test_the_least_recently_used_go(files: list[Kept], limit: int) -> None:
    """What stays fits, was used no earlier than anything that went, and nothing more went than had to."""
    gone = superfluous(files, limit)
    stays = [file for file in files if file not in gone]
    assert sum(file.size for file in stays) <= limit
    if gone:
        newest = max(gone, key=lambda file: file.used_at)
        assert all(file.used_at >= newest.used_at for file in stays)
        assert sum(file.size for file in stays) + gone[0].size > limit
