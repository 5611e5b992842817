"""How durations, sizes and hosts are written."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Return a duration as a person reads it: `4 s`, `1 min 12 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def compact(seconds: float) -> str:
    """Return a duration in at most six columns: `4s`, `1m12s`, `2h05m`, `3d4h`, `210d`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    days, hours = divmod(whole // 3600, 24)
    return f"{days}d{hours}h" if days < 100 else f"{days}d"


def clock(seconds: float) -> str:
    """Return a duration as a stopwatch shows it: `0:04`, `1:12`, `2:05:00`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def size(count: float) -> str:
    """Return a number of bytes: `12 B`, `3.4 KiB`, `1.2 MiB`, `5.0 GiB`."""
    if count < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} GiB"


def hosts(count: int, changed: int | None, failed: int | None) -> str:
    """Return on how many hosts a job ran and how that went: `3 hosts, 1 changed, 1 failed`."""
    words = ["1 host" if count == 1 else f"{count} hosts"]
    words += [f"{changed} changed"] if changed else []
    words += [f"{failed} failed"] if failed else []
    return ", ".join(words)
