"""podman: its command lines."""

from __future__ import annotations

import os
from dataclasses import dataclass

from receptor_runner.execution.isolation.container_spec import ContainerSpec, Login


@dataclass(frozen=True, slots=True, kw_only=True)
class Podman:
    """The podman on this machine.

    Attributes:
        executable: its name or path.
    """

    executable: str
    login_file = "auth.json"

    @property
    def variables(self) -> dict[str, str]:
        """What ansible-runner sets for jobs in podman: renaming a file over a mounted one is not possible."""
        return {"ANSIBLE_UNSAFE_WRITES": "1"}

    def run(self, spec: ContainerSpec) -> tuple[str, ...]:
        """Return the command that runs a container.

        Source: ansible-runner's, in its order, but for the environment, the login, the label and what follows the name.
        """
        # Images of ansible-builder run as uid 1000, which in a rootless container may not read the worker's files:
        # root in there is the user of the worker.
        user = () if spec.names_user else ("--user=root",)
        return (
            self.executable,
            *("run", "--rm", "--tty", "--interactive"),
            *spec.placement,
            *user,
            *("--quiet", "--log-driver=none", "--pull=never"),
            *spec.identity,
            *spec.target,
        )

    def has_image(self, image: str) -> tuple[str, ...]:
        """Return the command that exits 0 if the image is there and 1 if not."""
        return (self.executable, "image", "exists", image)

    def pull(self, image: str, login: Login | None) -> tuple[str, ...]:
        """Return the command that pulls an image."""
        options = [f"--authfile={login.file}"] if login else []
        if login and login.is_insecure_for(image):
            options.append("--tls-verify=false")
        return (self.executable, "pull", "--quiet", *options, image)

    def interrupt(self, name: str) -> tuple[str, ...]:
        """Return the command that interrupts a container."""
        return (self.executable, "kill", "--signal=INT", name)

    def remove(self, name: str) -> tuple[str, ...]:
        """Return the command that kills and removes a container at once."""
        return (self.executable, "rm", "--force", "--time=0", name)

    @property
    def reclaim(self) -> tuple[str, ...]:
        """Return the command that makes files ours that belong to other users of a rootless container."""
        if os.geteuid() == 0:
            return ()
        return (self.executable, "unshare", "chown", "--recursive", "--no-dereference", "0:0")
