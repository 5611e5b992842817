"""One table that maps the errors of receptorctl and of the system to ours."""

from __future__ import annotations

import json
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.errors import NodeUnavailable, Rejected, UnknownUnit, Unreachable


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """One line of the table of errors.

    Attributes:
        kind: the class of the exception.
        text: what its text contains, as a regular expression.
        error: our class.
        what: our words; `{address}` is the node's.
        cause: the reason in our words, where the exception does not name it; by default its own text.
        hint: what to do; `{address}` as above, `{directory}` is that of the socket.
    """

    kind: type[Exception]
    text: str
    error: type[NodeUnavailable]
    what: str
    cause: str | None = None
    hint: str | None = None


ERRORS = (
    ErrorRow(
        kind=RuntimeError,
        text="cancelled before it started",
        error=Rejected,
        what="the job was canceled before it started",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="no space left on device",
        error=Rejected,
        what="the disk of the node at {address} is full",
        hint="free space in its datadir; receptorctl work list shows what units take",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="unknown work unit",
        error=UnknownUnit,
        what="the node does not know this unit",
        hint="receptor-runner jobs DIR",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="unknown work type",
        error=Rejected,
        what="the node does not offer this work type",
        hint="receptorctl --socket {address} status",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="signature is empty",
        error=Rejected,
        what="the node takes signed work only",
        hint="--signwork, and work-signing in the local node's receptor.yml",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="did not expect a signature",
        error=Rejected,
        what="the work type takes unsigned work only",
        hint="--no-signwork",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="token is expired",
        error=Rejected,
        what="the signature has expired",
        hint="compare the clocks of both nodes; tokenexpiration in work-signing is how far they may differ",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="signing key",
        error=Rejected,
        what="the node at {address} cannot sign work",
        hint="work-signing, with privatekey and tokenexpiration, in its receptor.yml",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="signature|audience",
        error=Rejected,
        what="the node refused the signature",
        hint="its work-verification needs the public key that belongs to work-signing's private key",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="extra params",
        error=Rejected,
        what="the work type takes no parameters",
        hint="set allowruntimeparams: true in the node's work-command",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="unknown TLS config",
        error=Rejected,
        what="the node at {address} has no such TLS client",
        hint="--tls-client takes the name of a tls-client in its receptor.yml",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="Failed to connect to Receptor socket",
        error=NodeUnavailable,
        what="the service at {address} is not a Receptor control service",
        hint="use the filename of a control-service in receptor.yml",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="closed the connection",
        error=Unreachable,
        what="the node at {address} closed the connection",
    ),
    ErrorRow(kind=RuntimeError, text="", error=Rejected, what="the node at {address} refused"),
    ErrorRow(
        kind=json.JSONDecodeError,
        text="",
        error=Unreachable,
        what="the node at {address} closed the connection",
        cause="it sent no complete reply",
    ),
    ErrorRow(
        kind=FileNotFoundError,
        text="",
        error=Unreachable,
        what="no node at {address}",
        cause="the socket does not exist",
        hint="start the node, or see which setting names this socket: receptor-runner config show --sources",
    ),
    ErrorRow(
        kind=ConnectionRefusedError,
        text="",
        error=Unreachable,
        what="no node at {address}",
        cause="connection refused: no process listens on the socket",
        hint="start the node",
    ),
    ErrorRow(
        kind=PermissionError,
        text="",
        error=NodeUnavailable,
        what="no permission to use the socket {address}",
        hint="ls -l {address}",
    ),
    ErrorRow(
        kind=socket.gaierror, text="", error=NodeUnavailable, what="cannot resolve the host of {address}"
    ),
    ErrorRow(kind=TimeoutError, text="", error=Unreachable, what="the node at {address} does not answer"),
    ErrorRow(
        kind=ssl.SSLError,
        text="",
        error=NodeUnavailable,
        what="TLS verification failed with the node at {address}",
        hint="check --rootcas, --cert and --key against the tls-server in the node's receptor.yml",
    ),
    ErrorRow(kind=OSError, text="", error=Unreachable, what="lost the connection to the node at {address}"),
    ErrorRow(
        kind=ValueError, text="", error=NodeUnavailable, what="the node at {address} sent an unexpected reply"
    ),
)
"""The first row that matches decides."""


def translate(error: Exception, address: str) -> NodeUnavailable:
    """Return our error for one of receptorctl or of the system."""
    text = str(error)
    for row in ERRORS:
        if isinstance(error, row.kind) and re.search(row.text, text):
            names = {"address": address, "directory": str(Path(address).parent)}
            hint = row.hint.format_map(names) if row.hint else None
            return row.error(row.what.format_map(names), cause=row.cause or text or None, hint=hint)
    return NodeUnavailable(f"the node at {address} failed", cause=f"{type(error).__name__}: {text}")
