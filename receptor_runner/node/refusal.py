"""How the node refuses a request."""

from __future__ import annotations


class Refused(Exception):
    """A request that is answered with one ERROR line; the text is the daemon's own where it has one."""
