"""How much disk space and how many inotify instances are enough; for this machine and for workers."""

from __future__ import annotations

from collections.abc import Mapping

from receptor_runner.doctor.verdict import Fault, Verdict, failed, ok, skipped, warning

FULL_BYTES = 100 * 2**20
"""With less than this, a job's payload or its results will not fit."""

SCARCE_BYTES = 2**30

ENOUGH_INSTANCES = 512
"""A node needs one inotify instance for each remote unit, and keeps those of released units until it is restarted."""

ENOUGH_WATCHES = 8192


def judge_space(free: Mapping[str, int | None]) -> Verdict:
    """Judge the free space of directories.

    Args:
        free: bytes by the name of the directory; None if that is not known.
    """
    known = {name: size for name, size in free.items() if isinstance(size, int)}
    if not known:
        return skipped("the free space is not known")
    facts = {"free_bytes": known}
    name, least = min(known.items(), key=lambda entry: entry[1])
    summary = ", ".join(f"{_size(size)} free in {place}" for place, size in known.items())
    if least < FULL_BYTES:
        return failed(f"{_size(least)} free in {name}: it is full", Fault.MISCONFIGURED, _CLEAN, facts)
    if least < SCARCE_BYTES:
        return warning(f"only {_size(least)} free in {name}", _CLEAN, facts)
    return ok(summary, facts)


_CLEAN = "see what takes the space: df -h; receptor-runner cleanup --help; receptor-runner jobs --prune"


def judge_inotify(limits: Mapping[str, int]) -> Verdict:
    """Judge the kernel's limits on inotify.

    Args:
        limits: by name, as in /proc/sys/fs/inotify.

    Source: without a free instance the daemon polls files once a second, and the results of units arrive late or end
    early.
    """
    for name, enough in (("max_user_instances", ENOUGH_INSTANCES), ("max_user_watches", ENOUGH_WATCHES)):
        limit = limits.get(name)
        if limit is not None and limit < enough:
            hint = f"sudo sysctl -w fs.inotify.{name}={16 * enough}; in a file of /etc/sysctl.d to keep it"
            return warning(f"fs.inotify.{name} is {limit}, too low for many jobs at once", hint, dict(limits))
    if not limits:
        return skipped("the limits are not known")
    return ok(f"{limits.get('max_user_instances')} instances for each user", dict(limits))


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
