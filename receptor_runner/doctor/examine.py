"""The whole examination: this machine, the local node, and each target node."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

from receptor_runner.doctor.local_node import LOCAL_NODE, local_steps
from receptor_runner.doctor.machine import THIS_MACHINE, MachineView, machine_steps
from receptor_runner.doctor.node import node_steps
from receptor_runner.doctor.steps import take_steps
from receptor_runner.doctor.verdict import Result, failed_by
from receptor_runner.doctor.view import LocalView, NodeView
from receptor_runner.errors import RunnerError
from receptor_runner.receptor.control.protocol import Deadlines
from receptor_runner.receptor.control.retry import RetryPolicy
from receptor_runner.receptor.nodes.destination import Destination
from receptor_runner.receptor.nodes.locate import LocalNode, open_local_node

_AT_ONCE = 8
_CONNECT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What is to be examined.

    Attributes:
        destination: the local node, and how others are reached from there; its `node` is not used.
        socket_source: where the socket was named, in words.
        nodes: the target nodes; empty for all that take jobs.
        within_s: how long one exchange with a node may take; a job may take three times as long.
        echo: whether a real job is run through each target node.
    """

    destination: Destination
    socket_source: str = "--socket"
    nodes: tuple[str, ...] = ()
    within_s: float = 20.0
    echo: bool = True

    def results(self) -> Iterator[Result]:
        """Yield what each step finds, in order; a node's steps are taken beside those of the other nodes."""
        yield from take_steps(THIS_MACHINE, machine_steps(), MachineView())
        with contextlib.ExitStack() as stack:
            try:
                local = stack.enter_context(self._local_node())
            except RunnerError as error:
                yield Result(subject=LOCAL_NODE, step="socket", verdict=failed_by(error), duration_s=0.0)
                return
            yield from self._of_mesh(local)

    def _local_node(self) -> AbstractContextManager[LocalNode]:
        where = self.destination
        return open_local_node(
            where.socket, source=self.socket_source, nodes=self.nodes, tls_client=where.tls_client
        )

    def _where(self) -> Destination:
        """Return the destination with the deadlines of a person who waits: what fails is reported, not retried."""
        return dataclasses.replace(
            self.destination,
            deadlines=Deadlines(connect_s=min(_CONNECT_S, self.within_s), reply_s=self.within_s),
            retry=RetryPolicy(deadline_s=0),
        )

    def _of_mesh(self, local: LocalNode) -> Iterator[Result]:
        where = self._where()
        view = LocalView(destination=where, local=local, control=where.control(local), wanted=self.nodes)
        yield from take_steps(LOCAL_NODE, local_steps(is_embedded=local.embedded is not None), view)
        if not view.node_id:
            return
        if len(view.targets) == 1:  # each result as soon as it is there
            yield from self._of_node(view, view.targets[0])
            return
        pool = ThreadPoolExecutor(max_workers=_AT_ONCE)
        try:
            for results in pool.map(lambda name: list(self._of_node(view, name)), view.targets):
                yield from results
        finally:
            # Steps that are under way end by themselves, and release their units; after Ctrl-C no further node begins.
            pool.shutdown(cancel_futures=True)

    def _of_node(self, here: LocalView, name: str) -> Iterator[Result]:
        is_embedded = here.local.embedded is not None
        steps = node_steps(is_local=name == here.node_id, is_embedded=is_embedded, echo=self.echo)
        view = NodeView(here=here, name=name, within_s=self.within_s)
        return take_steps(f"node {name}", steps, view)
