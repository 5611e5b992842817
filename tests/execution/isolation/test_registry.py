"""Images from a real registry that asks for a password."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from receptor_runner.outcome import Status
from tests.execution.isolation.conftest import ContainerWorkplace
from tests.harness import wait_until
from tests.harness.containers import IMAGE, PodmanStore, skip_without
from tests.harness.environment import free_port

pytestmark = pytest.mark.slow

USER, PASSWORD = "puller", "s3cret-of-the-registry"
HASH = "$2b$04$0ObGADzFkFNZ0dg62LRDseo.1HKWwnXw24/v8ThICSqMRrj5HymWS"
"""The password as the registry keeps it (bcrypt)."""

CONFIG = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {directory}/images}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: test, path: {directory}/htpasswd}}}}
"""


@dataclass
class Registry:
    """A registry on loopback, without TLS, with one image."""

    host: str

    @property
    def image(self) -> str:
        """The image's name there."""
        return f"{self.host}/team/ee:1"

    def login(self, **changes: Any) -> dict[str, Any]:
        """Return what a job says about it."""
        return {"host": self.host, "username": USER, "password": PASSWORD, "verify_ssl": False, **changes}


@pytest.fixture(scope="module")
def registry(session_store: PodmanStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A running registry."""
    skip_without("docker-registry")
    directory, port = tmp_path_factory.mktemp("registry"), free_port()
    (directory / "htpasswd").write_text(f"{USER}:{HASH}\n")
    (directory / "config.yml").write_text(CONFIG.format(directory=directory, port=port))
    made = Registry(f"127.0.0.1:{port}")
    process = subprocess.Popen(
        ["docker-registry", "serve", directory / "config.yml"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        push = ["push", "--quiet", "--tls-verify=false", f"--creds={USER}:{PASSWORD}", IMAGE, made.image]
        wait_until(lambda: _pushed(session_store, push), "the registry takes an image")
        yield made
    finally:
        process.kill()
        process.wait()


def _pushed(store: PodmanStore, words: list[str]) -> bool:
    try:
        store.podman(*words)
    except AssertionError:
        return False
    return True


@pytest.fixture
def remote(in_podman: ContainerWorkplace, registry: Registry) -> Iterator[Registry]:
    """The registry, whose image is not in the store, neither before nor after the test."""
    yield registry
    subprocess.run(["podman", "rmi", "--ignore", registry.image], capture_output=True, check=False)


def files_with(secret: str, *directories: Path) -> list[str]:
    """Return the files that hold a text."""
    words = ["grep", "-rlsF", secret, *map(str, directories)]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()


def test_an_image_is_pulled_with_the_login_of_the_job(
    in_podman: ContainerWorkplace, remote: Registry
) -> None:
    """The image is pulled and the job runs; the password is in no argument, file, event or environment then."""
    ran = in_podman.run(
        binary="sh",
        cmdline="-c 'cat /proc/*/cmdline /proc/*/environ; ls'",
        container_image=remote.image,
        container_auth_data=remote.login(),
    )
    assert ran.outcome.status is Status.SUCCESSFUL
    assert PASSWORD not in ran.told.text + str(ran.told.statuses)
    assert files_with(PASSWORD, in_podman.temporary, in_podman.place.path, in_podman.store.directory) == []
    assert remote.image in in_podman.store.images()


def test_a_refused_pull_is_said_in_the_registrys_words(
    in_podman: ContainerWorkplace, remote: Registry
) -> None:
    """A wrong password, a missing tag, a registry without TLS: an error each, with its cause and what to do."""
    for login, image, words in (
        ({"password": "wrong"}, remote.image, "unauthorized: authentication required"),
        ({}, f"{remote.host}/team/ee:none", "manifest unknown"),
        (
            {"verify_ssl": True},
            remote.image,
            "server gave HTTP response to HTTPS client; hint: set verify_ssl",
        ),
    ):
        ran = in_podman.run(binary="true", container_image=image, container_auth_data=remote.login(**login))
        assert (ran.outcome.status, ran.outcome.rc) == (Status.ERROR, 125)
        explanation = str(ran.outcome.explanation)
        assert explanation.startswith(f"podman cannot pull {image}: ")
        assert words in explanation


def test_tls_is_given_up_for_the_named_registry_only(in_podman: ContainerWorkplace, remote: Registry) -> None:
    """verify_ssl false for one registry does not make a pull from another one insecure."""
    login = remote.login(host="registry.example:5000")
    ran = in_podman.run(binary="true", container_image=remote.image, container_auth_data=login)
    assert ran.outcome.status is Status.ERROR
    assert "HTTP response to HTTPS" in str(ran.outcome.explanation)


def test_a_scheme_before_the_host_does_no_harm(in_podman: ContainerWorkplace, remote: Registry) -> None:
    """A host as people copy it, with https:// in front, is understood."""
    login = remote.login(host=f"http://{remote.host}/")
    ran = in_podman.run(binary="true", container_image=remote.image, container_auth_data=login)
    assert ran.outcome.status is Status.SUCCESSFUL


def test_a_pull_that_is_canceled_leaves_nothing(
    in_podman: ContainerWorkplace, remote: Registry, tmp_path: Path
) -> None:
    """A job that is canceled while its image is pulled, from a registry that does not answer, is canceled at once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        ran = in_podman.begin(
            binary="true", container_image=f"{host}/x:1", container_auth_data=remote.login(host=host)
        )
        connection = silent.accept()[0]
        ran.stop.request()
        assert ran.outcome.status is Status.CANCELED
        connection.close()


def test_an_image_that_is_there_is_not_pulled(in_podman: ContainerWorkplace) -> None:
    """With an image in the store a login is never used, and a registry that is not there does not matter."""
    login = {"host": "localhost", "username": USER, "password": PASSWORD}
    ran = in_podman.run(binary="true", container_auth_data=login)
    assert ran.outcome.status is Status.SUCCESSFUL
