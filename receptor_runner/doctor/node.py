"""Which steps check a target node."""

from __future__ import annotations

from receptor_runner.doctor import way, worker
from receptor_runner.doctor.steps import Step
from receptor_runner.doctor.view import NodeView


def node_steps(*, is_local: bool, is_embedded: bool, echo: bool) -> list[Step[NodeView]]:
    """Return the steps for a target node.

    Args:
        is_local: whether it is the local node, to which no way leads over the mesh.
        is_embedded: whether it is an embedded node, on this machine and without a mesh.
        echo: whether a real job is run.
    """
    there = [
        Step(name="route", check=way.check_route),
        Step(name="ping", check=way.check_ping, needs=("route",)),
        Step(name="tls", check=way.check_tls, needs=("route",)),
        Step(name="work type", check=way.check_work_type, needs=("route",)),
        # A node without work for others usually refuses them this service too.
        Step(name="control", check=way.check_control, needs=("ping", "tls", "work type")),
        Step(name="signature", check=way.check_signature, needs=("work type",)),
        Step(name="worker", check=worker.check_worker, needs=("control", "work type", "signature")),
    ]
    here = [
        Step(name="work type", check=way.check_work_type),
        Step(name="worker", check=worker.check_worker, needs=("work type",)),
    ]
    machine = [
        Step(name="versions", check=worker.check_versions, needs=("worker",)),
        Step(name="ansible", check=worker.check_ansible, needs=("worker",)),
        Step(name="engines", check=worker.check_engines, needs=("worker",)),
        Step(name="space", check=worker.check_space, needs=("worker",)),
        Step(name="inotify", check=worker.check_inotify, needs=("worker",)),
    ]
    job = [Step(name="job", check=worker.check_job, needs=("worker", "ansible"))] if echo else []
    if is_local:
        return [*here, *(machine[:3] if is_embedded else machine), *job]
    return [*there, Step(name="clock", check=worker.check_clock, needs=("route",)), *machine, *job]
