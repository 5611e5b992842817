"""A plan, packed for its way to the node."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from receptor_runner.ansible_cli.places import PROJECT
from receptor_runner.ansible_cli.plan import Plan
from receptor_runner.archive.pack import Tree
from receptor_runner.ignore import project_rule
from receptor_runner.transmit import Shipment, prepare_trees


def trees_of(plan: Plan, note: Callable[[str], None]) -> list[Tree]:
    """Return what travels for a plan: the project without what is ignored, and what lies outside of it.

    Args:
        plan: the plan.
        note: takes a line for the person where git cannot say what it ignores.
    """
    root = plan.project.root
    outside = [tree._replace(wanted=project_rule(tree.root, note)) for tree in plan.outside.as_trees()]
    return [Tree(root=root, place=str(PROJECT), wanted=project_rule(root, note)), *outside]


def pack_plan(plan: Plan, ident: str, note: Callable[[str], None], level: int | None = None) -> Shipment:
    """Pack a plan.

    Args:
        plan: the plan.
        ident: the job's ident.
        note: as in `trees_of`.
        level: how hard it is compressed, 0 to 9; None for the default.

    Raises:
        MissingInput: a file that travels cannot be read.
        OutputFailed: there is no room for the archive.
    """
    job = dataclasses.replace(plan.job, ident=ident)
    return prepare_trees(job, trees_of(plan, note), plan.files, level=level)
