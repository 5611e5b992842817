"""The signals that ask us to stop."""

from __future__ import annotations

import signal

STOPPING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
