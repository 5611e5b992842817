"""One table that maps the errors of receptorctl and of the system to ours."""

from __future__ import annotations

import json
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from receptor_runner.errors import NodeUnavailable, Rejected, UnknownUnit, Unreachable, pasteable
from receptor_runner.receptor.control.access import no_access
from receptor_runner.receptor.control.connection import path_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """One line of the table of errors.

    Attributes:
        kind: the class of the exception.
        text: what its text contains, as a regular expression.
        error: our class.
        what: our words; `{address}` is the node's.
        cause: the reason in our words, where the exception does not name it; by default its own text.
        hint: what to do; `{address}` as above, but as a word for a shell.
        embedded_hint: what to do instead about an embedded node, which ends with its job; `{place}` is where
            its directory was.
    """

    kind: type[Exception]
    text: str
    error: type[NodeUnavailable]
    what: str
    cause: str | None = None
    hint: str | None = None
    embedded_hint: str | None = None


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
        hint="free space in its datadir; receptorctl --socket {address} work list shows what units take",
        embedded_hint="df -h {place}",
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
        kind=NotADirectoryError,
        text="",
        error=Unreachable,
        what="no node at {address}",
        hint="see which setting names this socket: receptor-runner config show --sources",
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
        hint="namei -l {address}",
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


def translate(error: Exception, address: str, *, is_embedded: bool = False) -> NodeUnavailable:
    """Return our error for one of receptorctl or of the system.

    Args:
        error: the error.
        address: the node's.
        is_embedded: whether it is an embedded node.
    """
    if isinstance(error, PermissionError) and (path := path_of(address)):
        return no_access(path)
    text = str(error)
    for row in ERRORS:
        if isinstance(error, row.kind) and re.search(row.text, text):
            hint = (is_embedded and row.embedded_hint) or row.hint
            words = {"address": pasteable(address), "place": pasteable(Path(address).parent.parent)}
            return row.error(
                row.what.format(address=address),
                cause=row.cause or text or None,
                hint=hint.format_map(words) if hint else None,
            )
    return NodeUnavailable(f"the node at {address} failed", cause=f"{type(error).__name__}: {text}")
