"""The steps that check the local node: the socket, the answer behind it, its configuration, and whom it reaches."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

from receptor_runner.doctor.certificate_dates import judge_ends
from receptor_runner.doctor.limits import judge_inotify, judge_space
from receptor_runner.doctor.machine import installed_versions, nearest_directory
from receptor_runner.doctor.steps import Step
from receptor_runner.doctor.verdict import Fault, Verdict, failed, failed_by, ok, skipped, warning
from receptor_runner.doctor.view import LocalView
from receptor_runner.errors import ConfigError, pasteable
from receptor_runner.receptor.control.access import group_name, no_access, user_name, way_in
from receptor_runner.receptor.nodes.local_config import find_config, read_config
from receptor_runner.receptor.nodes.mesh import MESH_FIELDS, read_nodes
from receptor_runner.receptor_config.certificate_ends import certificate_ends
from receptor_runner.receptor_config.findings import Severity
from receptor_runner.receptor_config.linter import check_files
from receptor_runner.system.limits import free_space, inotify_limits

LOCAL_NODE = "local node"

_START = "start the node: sudo systemctl start receptor"
_UNKNOWN_CONFIG = "the node's receptor.yml is not known"
_DATED = frozenset({"cert-expired", "cert-expires-soon", "cert-not-yet"})
"""Findings of the linter that the step `certificates` reports."""

_DEFAULT_DATADIR = "/tmp/receptor"  # noqa: S108 - where the daemon keeps units unless it is told otherwise


def local_steps(*, is_embedded: bool) -> list[Step[LocalView]]:
    """Return the steps for the local node; an embedded one has no configuration of the user's, and no mesh."""
    if is_embedded:
        return [Step(name="socket", check=_no_socket), Step(name="answer", check=_answer, needs=("socket",))]
    return [
        Step(name="socket", check=_socket),
        Step(name="permission", check=_permission, needs=("socket",)),
        Step(name="answer", check=_answer, needs=("permission",)),
        Step(name="version", check=_version, needs=("answer",)),
        Step(name="receptor.yml", check=_config, needs=("answer",)),
        Step(name="certificates", check=_certificates, needs=("answer",)),
        Step(name="space", check=_space, needs=("answer",)),
        Step(name="inotify", check=_inotify, needs=("permission",)),
        Step(name="routes", check=_routes, needs=("answer",)),
        Step(name="workers", check=_workers, needs=("answer",)),
    ]


def _no_socket(_view: LocalView) -> Verdict:
    return ok("no socket was given and none was found: jobs on this machine run in an embedded node")


def _socket(view: LocalView) -> Verdict:
    facts = {"address": view.local.socket, "source": view.local.source}
    if view.path is None:
        return ok(f"{view.local.socket} ({view.local.source})", facts)
    try:
        mode = view.path.stat().st_mode
    except PermissionError:
        error = no_access(view.path)
        return failed(str(error), Fault.MISCONFIGURED, error.hint or "", facts)
    except OSError as error:
        hint = f"{_START}, or name its socket with --socket"
        return failed(f"{view.path}: {error.strerror}", Fault.UNREACHABLE, hint, facts)
    if not stat.S_ISSOCK(mode):
        hint = "--socket takes the filename of a control-service in receptor.yml"
        return failed(f"{view.path} is not a socket", Fault.MISCONFIGURED, hint, facts)
    return ok(f"{view.path} ({view.local.source})", facts)


def _permission(view: LocalView) -> Verdict:
    if view.path is None:
        return ok("not a unix socket")
    status = view.path.stat()
    group = group_name(status.st_gid)
    facts = {"mode": f"{stat.S_IMODE(status.st_mode):04o}", "uid": status.st_uid, "group": group}
    if os.access(view.path, os.R_OK | os.W_OK):
        return ok(f"this user has access ({stat.filemode(status.st_mode)})", facts)
    summary = f"{user_name()} has no access to {view.path} ({stat.filemode(status.st_mode)}, group {group})"
    other_ways = 'set permissions: "0660" in its control-service, or use the user of the node'
    return failed(summary, Fault.MISCONFIGURED, way_in(view.path) or other_ways, facts)


def _answer(view: LocalView) -> Verdict:
    status = view.control.status(*MESH_FIELDS, "Version")
    view.nodes = read_nodes(status)
    view.node_id = str(status.get("NodeID") or "")
    view.version = str(status.get("Version") or "")
    return ok(f"node `{view.node_id}` answers", {"node": view.node_id, "nodes": list(view.nodes)})


def _version(view: LocalView) -> Verdict:
    ours = installed_versions()["receptorctl"] or ""
    facts = {"receptor": view.version or None, "receptorctl": ours}
    if not view.version:
        return ok("the daemon does not state its version", facts)
    if _minor(view.version) != _minor(ours):
        hint = f"pip install 'receptorctl~={_minor(view.version)}.0', or upgrade receptor"
        return warning(f"receptor {view.version}, but receptorctl {ours}", hint, facts)
    return ok(f"receptor {view.version}, receptorctl {ours}", facts)


def _minor(version: str) -> str:
    return ".".join(version.removeprefix("v").split(".")[:2])


def _config(view: LocalView) -> Verdict:
    path = view.destination.config or find_config(view.control)
    hint = "name it: receptor-runner doctor --config /etc/receptor/receptor.yml"
    if path is None:
        return skipped("the file that the node was started with cannot be seen from here", hint)
    try:
        view.document = read_config(path, view.node_id)
    except ConfigError as error:
        # Named by the user, it must be right; found by us, it may be closed to everyone but the node's user.
        return failed_by(error, hint) if view.destination.config else skipped(str(error), hint)
    found = [finding for finding in check_files([path]) if finding.code not in _DATED]
    facts = {"path": str(path), "findings": [finding.as_dict() for finding in found]}
    check = pasteable("receptor-runner", "config", "check", path)
    for severity in (Severity.ERROR, Severity.WARNING):
        messages = [finding.message for finding in found if finding.severity is severity]
        if messages:
            summary = f"{messages[0]}{f', and {len(messages) - 1} more' if messages[1:] else ''}"
            if severity is Severity.ERROR:
                return failed(summary, Fault.MISCONFIGURED, check, facts)
            return warning(summary, check, facts)
    return ok(str(path), facts)


def _certificates(view: LocalView) -> Verdict:
    if view.document is None:
        return skipped(_UNKNOWN_CONFIG)
    try:
        ends = list(certificate_ends(view.document))
    except (OSError, ValueError) as error:
        hint = pasteable("receptor-runner", "config", "check", view.document.file)
        return failed(f"a certificate cannot be read: {error}", Fault.MISCONFIGURED, hint)
    return (
        judge_ends(ends, view.document.file, datetime.now(UTC)) if ends else ok("none: the node uses no TLS")
    )


def _space(view: LocalView) -> Verdict:
    if view.document is None:
        return skipped(_UNKNOWN_CONFIG)
    node = view.document.first("node")
    datadir = (node.text("datadir") if node else "") or _DEFAULT_DATADIR
    try:
        return judge_space({datadir: free_space(nearest_directory(Path(datadir)))})
    except OSError as error:
        return skipped(f"{datadir}: {error.strerror}")


def _inotify(_view: LocalView) -> Verdict:
    return judge_inotify(inotify_limits())


def _routes(view: LocalView) -> Verdict:
    others = [node for node in view.nodes.values() if not node.is_local]
    facts = {"routes": {node.node: node.next_hop for node in others}}
    cut = [node.node for node in others if not node.is_reachable and node.node not in view.targets]
    if cut:
        hint = "start them, or check their links: receptor-runner nodes"
        summary = f"no route to: {', '.join(cut)}"
        if view.wanted:
            return warning(summary, hint, facts)
        return failed(summary, Fault.UNREACHABLE, hint, facts)
    reached = [node.node for node in others if node.is_reachable]
    return ok(f"{len(reached)} of {len(others)} other nodes" if others else "no other nodes", facts)


def _workers(view: LocalView) -> Verdict:
    facts = {"targets": list(view.targets)}
    if view.targets:
        return ok(", ".join(view.targets), facts)
    hint = "add a work-command to a node: receptor-runner config render worker; it is known after a minute"
    return failed("no node offers a work type for jobs", Fault.MISCONFIGURED, hint, facts)
