"""What a job's inputs look like from inside: the same, with paths as the job finds them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from receptor_runner.execution.isolation.engine import Isolation
from receptor_runner.job_inputs import Inputs

_ROLES = "ANSIBLE_ROLES_PATH"


def as_seen_inside(inputs: Inputs, private_data_dir: Path, isolation: Isolation) -> Inputs:
    """Return a job's inputs with each path that goes onto the command line or into the environment as it is inside.

    Args:
        inputs: the inputs, their files in place on this machine.
        private_data_dir: where those files are.
        isolation: knows where the job finds them.
    """
    job, extravars_file = inputs.job, inputs.extravars_file

    def moved(text: str) -> str:
        path = Path(text)
        inside = isolation.inside(path) if path.is_absolute() else path
        return text if inside == path else str(inside)

    def moved_list(text: str) -> str:
        return ":".join(map(moved, text.split(":")))

    extravars = job.extravars
    if isinstance(extravars, str) and (private_data_dir / extravars).is_file():
        extravars = "@" + moved(str(private_data_dir / extravars))
    roles_path = ":".join(job.roles_path) if isinstance(job.roles_path, list) else job.roles_path
    # where a role's play finds its roles was written here, too
    envvars = {name: moved_list(value) if name == _ROLES else value for name, value in inputs.envvars.items()}
    changes = {
        "playbook": moved(job.playbook) if isinstance(job.playbook, str) else job.playbook,
        "inventory": [moved(source) for source in job.inventory or ()],
        "roles_path": moved_list(roles_path) if roles_path else None,
        "extravars": extravars,
    }
    return dataclasses.replace(
        inputs,
        job=dataclasses.replace(job, **changes),  # type: ignore[arg-type]  # the keys are those of the fields
        envvars=envvars,
        extravars_file=Path(moved(str(extravars_file))) if extravars_file else None,
    )
