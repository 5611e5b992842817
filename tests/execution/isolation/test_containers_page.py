"""The page about containers: its commands, run in their order, lead to jobs in a container and in a sandbox."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.harness import Commands
from tests.harness.containers import IMAGE, PodmanStore, skip_without

PAGE = Path(__file__).parents[3] / "docs" / "containers.md"
THEIRS = "ghcr.io/ansible-community/community-ee-minimal"


@pytest.mark.slow
def test_the_page_works_word_for_word(commands: Commands, podman_store: PodmanStore) -> None:
    """Every command of the page succeeds, with the image of the tests in place of the one on the page."""
    skip_without("bwrap")
    commands.environment |= podman_store.environment
    podman_store.make_image(f"{IMAGE.rpartition(':')[0]}:old")
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    script = "\n".join(["set -eo pipefail", *blocks])
    script = script.replace(f"{THEIRS}:latest", IMAGE).replace(THEIRS, IMAGE.rpartition(":")[0])
    done = commands.run("bash", "-c", script)
    assert done.rc == 0, done.text + done.stderr
    for ident, project in (
        ("first", "/runner/project"),
        ("second", "/runner/project"),
        ("third", "/project"),
    ):
        artifacts = commands.cwd / "demo" / "artifacts" / ident
        assert (artifacts / "rc").read_text() == "0"
        assert f'{project}"' in (artifacts / "stdout").read_text()
    assert done.text.endswith("(changed: True)\n")
    assert podman_store.images() == {IMAGE}
