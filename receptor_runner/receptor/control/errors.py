"""One table that turns receptorctl's errors, and the system's, into ours."""

from __future__ import annotations

import json
import re
import socket
import ssl
from dataclasses import dataclass

from receptor_runner.errors import NodeUnavailable, Rejected, UnknownUnit, Unreachable


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """One line of the table of errors.

    Attributes:
        kind: the class of the exception.
        text: what its text contains, as a regular expression.
        error: our class.
        what: our words; `{address}` is the node's.
        hint: a way on.
        says_all: whether our words say all that the exception's do.
    """

    kind: type[Exception]
    text: str
    error: type[NodeUnavailable]
    what: str
    hint: str | None = None
    says_all: bool = False


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
        hint="--signwork, and work-signing in the receptor.yml of the local node",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="did not expect a signature",
        error=Rejected,
        what="the work type takes no signed work",
        hint="--no-signwork",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="token is expired",
        error=Rejected,
        what="the signature has expired",
        hint="compare the clocks of both nodes with tokenexpiration in work-signing",
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
        hint="the publickey of its work-verification must be the other half of work-signing's privatekey",
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
        what="what answers at {address} is no Receptor control service",
        hint="name the filename of a control-service in receptor.yml",
    ),
    ErrorRow(
        kind=RuntimeError,
        text="closed the connection",
        error=Unreachable,
        what="the node at {address} hung up",
    ),
    ErrorRow(kind=RuntimeError, text="", error=Rejected, what="the node at {address} refused"),
    ErrorRow(
        kind=json.JSONDecodeError,
        text="",
        error=Unreachable,
        what="the node at {address} hung up or gave no answer",
    ),
    ErrorRow(
        kind=FileNotFoundError,
        text="",
        error=Unreachable,
        what="no node at {address}: the socket does not exist",
        hint="start the node, or name its socket with --socket",
        says_all=True,
    ),
    ErrorRow(
        kind=ConnectionRefusedError,
        text="",
        error=Unreachable,
        what="no node at {address}: nobody serves the socket",
        hint="start the node; the socket was left behind by one that is gone",
        says_all=True,
    ),
    ErrorRow(
        kind=PermissionError,
        text="",
        error=NodeUnavailable,
        what="the socket {address} may not be used",
        hint="ls -l {address}",
    ),
    ErrorRow(kind=socket.gaierror, text="", error=NodeUnavailable, what="no host of that name: {address}"),
    ErrorRow(kind=TimeoutError, text="", error=Unreachable, what="the node at {address} does not answer"),
    ErrorRow(
        kind=ssl.SSLError,
        text="",
        error=NodeUnavailable,
        what="no trust between us and the node at {address}",
        hint="compare the certificates with tls-server in the node's receptor.yml",
    ),
    ErrorRow(kind=OSError, text="", error=Unreachable, what="the connection to {address} broke"),
    ErrorRow(
        kind=ValueError, text="", error=NodeUnavailable, what="the node at {address} gave a strange answer"
    ),
)
"""The first row that fits decides."""


def translate(error: Exception, address: str) -> NodeUnavailable:
    """Return our error for one of receptorctl's or of the system's."""
    text = str(error)
    for row in ERRORS:
        if isinstance(error, row.kind) and re.search(row.text, text):
            hint = row.hint.format(address=address) if row.hint else None
            cause = None if row.says_all else text or None
            return row.error(row.what.format(address=address), cause=cause, hint=hint)
    return NodeUnavailable(f"the node at {address} failed", cause=f"{type(error).__name__}: {text}")
