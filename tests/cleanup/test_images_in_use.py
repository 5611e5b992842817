"""Images in a real podman store with real layers and running containers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from receptor_runner.cleanup.cleanup import clean_up
from receptor_runner.cleanup.options import Cleanup
from tests.harness import BIN, Commands, ServedNode
from tests.harness.containers import IMAGE, PodmanStore, podman_store, session_store

__all__ = ["podman_store", "session_store"]

pytestmark = pytest.mark.slow

A1, A2, B1, CHILD = (f"localhost/clean/{name}" for name in ("a:1", "a:2", "b:1", "child:1"))


@pytest.fixture
def store(podman_store: PodmanStore) -> Iterator[PodmanStore]:
    """A store with an image of three names, and another one on top of its layers."""
    podman_store.make_image(A1, files={"marker": "clean-up"})
    for name in (A2, B1):
        podman_store.podman("tag", A1, name)
    container = podman_store.podman("create", A1, "true")
    podman_store.podman("commit", "--quiet", container, CHILD)
    podman_store.podman("rm", container)
    yield podman_store
    podman_store.podman("rm", "--force", "--all", "--time=0")
    others = podman_store.images() - {IMAGE}
    if names := sorted(name for name in others if "none" not in name):
        podman_store.podman("rmi", *names)
    podman_store.podman("image", "prune", "--force")


def test_two_images_in_one_word_lose_their_names_only(
    store: PodmanStore, commands: Commands, node: ServedNode
) -> None:
    """AWX's two images in one option go through Receptor to a real store; a third name of theirs stays."""
    node.kill()
    node.environment.update(store.environment)
    node.start()
    done = commands.run(
        BIN / "receptorctl", "--socket", node.socket, "work", "submit", "receptor-runner", "--no-payload",
        "--follow", "--rm", "-a", f'params=cleanup --remove-images="{A1} {B1}" --image-prune',
    )  # fmt: skip
    assert "Removed 2 image(s)\n(changed: True)" in done.text.replace("\r", "")
    assert store.images() == {IMAGE, A2, CHILD}


def test_layers_that_another_image_needs_stay(store: PodmanStore) -> None:
    """All names of an image go, and it is pruned; the image on top of it still runs."""
    report = clean_up(Cleanup(remove_images=("clean/a", "clean/b"), image_prune=True))
    assert (report.images, report.engine_failures) == (3, [])
    assert store.images() == {IMAGE, CHILD}
    assert store.podman("run", "--rm", CHILD, "cat", "/marker") == "clean-up"


def test_an_image_in_use_loses_its_name_and_its_container_runs_on(store: PodmanStore) -> None:
    """Neither a removed name nor a prune touches a running container."""
    container = store.podman("run", "--detach", CHILD, "sleep", "600")
    report = clean_up(Cleanup(remove_images=(CHILD,), image_prune=True))
    assert (report.images, report.pruned) == (1, False)
    assert store.podman("inspect", "--format={{.State.Status}}", container) == "running"
    assert CHILD not in store.images()


def test_an_engine_that_fails_is_heard(
    store: PodmanStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that podman cannot open is an error with podman's own sentence."""
    broken = tmp_path / "storage.conf"
    broken.write_text(
        f'[storage]\ndriver = "nonsense"\nrunroot = "{tmp_path}/run"\ngraphroot = "{tmp_path}/graph"\n'
    )
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(broken))
    failure = clean_up(Cleanup(remove_images=(A1,), image_prune=True)).failure()
    monkeypatch.undo()
    assert failure is not None
    assert "nonsense" in str(failure)
