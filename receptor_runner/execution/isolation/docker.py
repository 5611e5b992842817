"""docker: its command lines."""

from __future__ import annotations

import os
from dataclasses import dataclass

from receptor_runner.execution.isolation.container_spec import ContainerSpec, Login


@dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """The docker client on this machine.

    Attributes:
        executable: its name or path.
    """

    executable: str
    login_file = "config.json"

    @property
    def variables(self) -> dict[str, str]:
        """Nothing."""
        return {}

    def run(self, spec: ContainerSpec) -> tuple[str, ...]:
        """Return the command that runs a container.

        Source: ansible-runner's, in its order, but for the environment, the login, the label and what follows the name.
        """
        user = () if spec.names_user else (f"--user={os.getuid()}",)
        return (
            self.executable,
            *("run", "--rm", "--tty", "--interactive"),
            *spec.placement,
            *user,
            *("--log-driver=none", "--pull=never"),
            *spec.identity,
            *spec.target,
        )

    def has_image(self, image: str) -> tuple[str, ...]:
        """Return the command that exits 0 if the image is there and 1 if not."""
        return (self.executable, "image", "inspect", "--format={{.Id}}", image)

    def pull(self, image: str, login: Login | None) -> tuple[str, ...]:
        """Return the command that pulls an image.

        Whether a registry without TLS is allowed is the daemon's configuration; no option of the client changes it.
        """
        config = (f"--config={login.file.parent}",) if login else ()
        return (self.executable, *config, "pull", "--quiet", image)

    def interrupt(self, name: str) -> tuple[str, ...]:
        """Return the command that interrupts a container."""
        return (self.executable, "kill", "--signal=INT", name)

    def remove(self, name: str) -> tuple[str, ...]:
        """Return the command that kills and removes a container at once."""
        return (self.executable, "rm", "--force", name)

    @property
    def reclaim(self) -> tuple[str, ...]:
        """Return nothing: the container has the uid of the worker."""
        return ()
