"""The table that turns receptorctl's errors into ours."""

from __future__ import annotations

import json
import socket
import ssl

import pytest
from receptor_runner.errors import NodeUnavailable, Rejected, UnknownUnit, Unreachable
from receptor_runner.receptor.control.errors import ERRORS, translate


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("unknown work unit abc"), UnknownUnit),
        (RuntimeError("Failed to get results: unknown work unit abc"), UnknownUnit),
        (RuntimeError("Failed to start work unit: unknown work type x"), Rejected),
        (RuntimeError("could not verify signature: signature is empty"), Rejected),
        (RuntimeError("work type did not expect a signature"), Rejected),
        (RuntimeError("extra params provided but not allowed"), Rejected),
        (RuntimeError("unknown TLS config nope"), Rejected),
        (RuntimeError("time: invalid duration"), Rejected),
        (RuntimeError("Failed to connect to Receptor socket"), NodeUnavailable),
        (RuntimeError("the node closed the connection"), Unreachable),
        (json.JSONDecodeError("Expecting value", "", 0), Unreachable),
        (FileNotFoundError(2, "No such file"), Unreachable),
        (ConnectionRefusedError(111, "refused"), Unreachable),
        (ConnectionResetError(104, "reset"), Unreachable),
        (BrokenPipeError(32, "pipe"), Unreachable),
        (socket.gaierror(-2, "unknown name"), NodeUnavailable),
        (TimeoutError("timed out"), Unreachable),
        (PermissionError(13, "denied"), NodeUnavailable),
        (ssl.SSLCertVerificationError(1, "self-signed"), NodeUnavailable),
        (OSError(5, "io"), Unreachable),
        (ValueError("strange"), NodeUnavailable),
    ],
)
def test_each_error_has_its_row(error: Exception, kind: type[NodeUnavailable]) -> None:
    """Every error of receptorctl and the system becomes the error of its row, with the cause in its own words."""
    translated = translate(error, "/run/x.sock")
    assert type(translated) is kind
    assert translated.exit_code == 69
    assert len(translated.lines()) <= 3


def test_each_row_of_the_table_is_used() -> None:
    """No row is hidden behind an earlier one."""
    samples = {"": "anything else", "signature": "no signature"}
    for row in ERRORS:
        text = samples.get(row.text, row.text)
        error = json.JSONDecodeError(text, "", 0) if row.kind is json.JSONDecodeError else row.kind(text)
        assert translate(error, "a").what == row.what.format(address="a")


def test_a_full_disk_is_looked_at_where_it_is() -> None:
    """The hint's command names the socket; an embedded node has ended by then, so that its place is looked at."""
    full = RuntimeError("write stdin: no space left on device")
    assert "receptorctl --socket '/run/a b' work list" in str(translate(full, "/run/a b").hint)
    embedded = translate(full, "/state/receptor-runner-node-1/control.sock", is_embedded=True)
    assert embedded.hint == "df -h /state"


def test_a_path_through_a_file_is_no_socket() -> None:
    """A path of which a part is no directory is told as a socket that does not exist is."""
    assert translate(NotADirectoryError(20, "Not a directory"), "/file/s").what == "no node at /file/s"
