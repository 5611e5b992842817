"""`receptor-runner doctor`."""

from __future__ import annotations

import click

from receptor_runner.cli import completions, parameters
from receptor_runner.cli.commands import Command
from receptor_runner.cli.configuration.settings import source_of
from receptor_runner.cli.node_options import AccessOptions, SocketOptions, TlsOptions

EPILOG = """\b
Examples:
  receptor-runner doctor
  receptor-runner doctor --node exec1
  receptor-runner doctor --no-job --json
"""


@click.command(cls=Command, epilog=EPILOG)
@parameters.takes("local", SocketOptions)
@click.option(
    "--node",
    "nodes",
    multiple=True,
    shell_complete=completions.nodes,
    help="Check this node; may be repeated. Default: every node that takes jobs.",
)
@click.option(
    "--work-type",
    shell_complete=completions.work_types,
    help="The work type. Default: receptor-runner, else ansible-runner.",
)
@click.option("--no-job", is_flag=True, help="Skip the small job.")
@parameters.timeout(20.0, "How long to wait for each answer.")
@parameters.takes("tls", TlsOptions)
@parameters.takes("access", AccessOptions)
@parameters.as_json
def doctor(
    local: SocketOptions,
    nodes: tuple[str, ...],
    work_type: str | None,
    no_job: bool,
    timeout: float,
    tls: TlsOptions,
    access: AccessOptions,
    json_output: bool,
) -> int:
    """Check everything a job needs, step by step, and say what to fix.

    It checks this machine, the local node and every node that takes jobs: sockets, routes, TLS, signatures,
    certificates, clocks, versions, disk space, what each worker finds on its machine, and a small real job. If there is
    no node, it checks the embedded node. Nothing is left on any node.

    The exit code is 0 if jobs can run, 69 if something cannot be reached, 78 if something is misconfigured.
    """
    from receptor_runner.cli import doctor_report
    from receptor_runner.doctor.examine import Examination
    from receptor_runner.receptor.nodes.destination import Destination

    where = Destination(
        socket=local.socket,
        work_type=work_type,
        tls_client=tls.tls_client,
        config=tls.config,
        store=False,
        tls=access.tls(),
    )
    examination = Examination(
        destination=where,
        socket_source=source_of(click.get_current_context(), "socket") if local.socket else "",
        nodes=nodes,
        within_s=timeout,
        echo=not no_job,
    )
    return doctor_report.as_json(examination) if json_output else doctor_report.as_text(examination)
