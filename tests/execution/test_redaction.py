"""Of an environment only what cannot be a secret is shown."""

from __future__ import annotations

import pytest
from receptor_runner.execution.redaction import HARMLESS, REDACTED, redact


@pytest.mark.parametrize(
    "name", ["TOKEN", "AWS_SECRET_ACCESS_KEY", "path", "Anything", "ANSIBLE_VAULT_PASSWORD"]
)
def test_an_unknown_name_hides_its_value(name: str) -> None:
    """Whatever is not known to be harmless is hidden, but its name is shown."""
    assert redact({name: "x"}) == {name: REDACTED}


def test_harmless_values_are_shown_in_their_order() -> None:
    """Harmless variables keep their values, and all keep their order."""
    env = {"PATH": "/bin", "TOKEN": "x", "HOME": "/root", "ANSIBLE_STDOUT_CALLBACK": "y"}
    assert list(redact(env).items()) == [
        ("PATH", "/bin"),
        ("TOKEN", REDACTED),
        ("HOME", "/root"),
        ("ANSIBLE_STDOUT_CALLBACK", "y"),
    ]


def test_nothing_that_may_hold_a_credential_is_harmless() -> None:
    """No harmless name speaks of a secret, and none is a place where an address with a password may stand."""
    telling = ("PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "CONNECTION", "PROXY", "URL", "AUTH")
    assert not [
        name for name in HARMLESS - {"ANSIBLE_HOST_KEY_CHECKING"} if any(word in name for word in telling)
    ]
