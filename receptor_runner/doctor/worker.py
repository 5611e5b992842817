"""The steps that ask a target node's worker: what it reports of its machine, and a job."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from receptor_runner._version import __version__
from receptor_runner.doctor.clock import judge_advertisement, judge_clock
from receptor_runner.doctor.echo import run_echo
from receptor_runner.doctor.limits import judge_inotify, judge_space
from receptor_runner.doctor.machine import installed_versions
from receptor_runner.doctor.verdict import Fault, Verdict, failed, failed_by, ok, skipped, warning
from receptor_runner.doctor.view import NodeView
from receptor_runner.errors import NeverStarted, NodeUnavailable, RunnerError, Unreachable
from receptor_runner.receptor.jobs.facts import read_facts

DEFAULT_ENGINE = "podman"
"""The engine of a worker that names none."""


def check_worker(view: NodeView) -> Verdict:
    """Run the worker's `--worker-info` as a unit: the first proof that the node starts our program."""
    assert view.route is not None
    asked = time.time()
    try:
        view.facts = read_facts(view.here.control, view.destination, view.route, within_s=view.within_s)
    except RunnerError as error:
        return _no_report(view, error)
    view.asked = (asked, time.time())
    facts = {key: value for key, value in view.facts.items() if key != "unix_time"}
    errors = [str(error) for error in view.facts.get("errors") or ()]
    if errors:
        hint = f"on `{view.name}`: receptor-runner worker --worker-info"
        return warning(f"its report has errors: {'; '.join(errors)}", hint, facts)
    memory = view.facts.get("mem_in_bytes")
    size = f", {memory / 2**30:.1f} GiB of memory" if isinstance(memory, int) else ""
    return ok(f"{view.facts.get('cpu_count')} CPUs{size}", facts)


def _no_report(view: NodeView, error: RunnerError) -> Verdict:
    """Return the verdict for a worker without a report: a command that cannot be started is configured wrong."""
    assert view.route is not None
    hint = (
        f"look at command in the work-command `{view.route.work_type}` of `{view.name}`, and run it there: "
        "receptor-runner worker --worker-info"
    )
    if isinstance(error, NodeUnavailable) and not isinstance(error, Unreachable | NeverStarted):
        summary = " ".join(str(error).split())
        return failed(summary, Fault.MISCONFIGURED, error.hint or hint)
    return failed_by(error, hint)


def check_versions(view: NodeView) -> Verdict:
    """Compare its versions with those here."""
    theirs = view.facts.get("receptor_runner_version")
    if theirs is None:
        return ok(
            f"ansible-runner {view.facts.get('runner_version')}",
            {"ansible_runner": view.facts.get("runner_version")},
        )
    facts = {
        "receptor_runner": {"here": __version__, "there": theirs},
        "receptor": {"here": view.here.version or None, "there": view.version or None},
        "receptorctl": {
            "here": installed_versions()["receptorctl"],
            "there": view.facts.get("receptorctl_version"),
        },
    }
    if theirs != __version__:
        summary = f"receptor-runner {theirs} there, {__version__} here"
        return warning(summary, f"on `{view.name}`: pip install receptor-runner=={__version__}", facts)
    if view.version and view.here.version and view.version != view.here.version:
        summary = f"receptor {view.version} there, {view.here.version} here"
        return warning(summary, "install the same version of receptor on both nodes", facts)
    return ok(f"receptor-runner {theirs}", facts)


def check_ansible(view: NodeView) -> Verdict:
    """Check that the worker finds ansible-core."""
    if "ansible_playbook" not in view.facts:
        return ok("its worker does not report it")
    version, program = view.facts.get("ansible_core_version"), view.facts["ansible_playbook"]
    facts = {"ansible_core": version, "ansible_playbook": program, "python": view.facts.get("python_version")}
    hint = f"on `{view.name}`, with the worker's Python: pip install ansible-core"
    if image := _container(view).get("image"):
        return ok(f"jobs run in the image {image}, with its ansible-core", facts)
    if not program:
        return failed("ansible-core is not installed: no ansible-playbook", Fault.MISCONFIGURED, hint, facts)
    if not version:
        return ok(f"{program}; Python {facts['python']}", facts)
    return ok(f"ansible-core {version}, Python {facts['python']}", facts)


def check_engines(view: NodeView) -> Verdict:
    """Tell which container engines it has."""
    engines = view.facts.get("isolation_engines")
    if not isinstance(engines, dict):
        return ok("its worker does not report them")
    facts = {"engines": engines, "container": _container(view) or None}
    wanted = Path(_container(view).get("engine") or DEFAULT_ENGINE).name
    if _container(view) and wanted not in engines:
        hint = (
            f"install {wanted} on `{view.name}`, or change --process-isolation-executable in its work-command"
        )
        return failed(f"{wanted}, which its jobs run in, does not answer", Fault.MISCONFIGURED, hint, facts)
    shown = ", ".join(f"{name} {version}" for name, version in engines.items())
    return ok(shown or "none: jobs run without isolation", facts)


def _container(view: NodeView) -> Mapping[str, Any]:
    """Return the image, and the engine, in which the worker runs jobs that choose no isolation; empty for none."""
    container = view.facts.get("container")
    return container if isinstance(container, dict) else {}


def check_space(view: NodeView) -> Verdict:
    """Judge the free space where it keeps units and temporary directories."""
    free = view.facts.get("disk_free_in_bytes")
    if not isinstance(free, dict):
        return skipped("its worker does not report it")
    places = {"units": "the datadir", "temporary": "the temporary directory"}
    return judge_space({places.get(str(name), str(name)): size for name, size in free.items()})


def check_inotify(view: NodeView) -> Verdict:
    """Judge its limits on inotify."""
    limits = view.facts.get("inotify")
    return judge_inotify(limits if isinstance(limits, dict) else {})


def check_job(view: NodeView) -> Verdict:
    """Run a small real job on it."""
    assert view.route is not None
    destination = dataclasses.replace(view.destination, work_type=view.route.work_type)
    return run_echo(destination, view.here.local, within_s=view.within_s)


def check_clock(view: NodeView) -> Verdict:
    """Compare its clock with ours."""
    moment = view.facts.get("unix_time")
    if isinstance(moment, int | float):
        return judge_clock(float(moment), *view.asked, _token_expiration(view))
    return judge_advertisement(view.known().last_seen, time.time())


def _token_expiration(view: NodeView) -> str | None:
    document = view.here.document
    signing = document.first("work-signing") if document else None
    is_signed = bool(view.route and view.route.wants_signature)
    return signing.text("tokenexpiration") if signing and is_signed else None
