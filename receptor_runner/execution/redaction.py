"""Hides the values of environment variables that may hold secrets."""

from __future__ import annotations

from collections.abc import Mapping

REDACTED = "**redacted**"

HARMLESS = frozenset(
    {
        "AD_HOC_COMMAND_ID",
        "ANSIBLE_CACHE_PLUGIN",
        "ANSIBLE_CALLBACK_PLUGINS",
        "ANSIBLE_COLLECTIONS_PATH",
        "ANSIBLE_CONFIG",
        "ANSIBLE_FORCE_COLOR",
        "ANSIBLE_HOST_KEY_CHECKING",
        "ANSIBLE_LIBRARY",
        "ANSIBLE_LOAD_CALLBACK_PLUGINS",
        "ANSIBLE_NOCOLOR",
        "ANSIBLE_RETRY_FILES_ENABLED",
        "ANSIBLE_ROLES_PATH",
        "ANSIBLE_STDOUT_CALLBACK",
        "AWX_ISOLATED_DATA_DIR",
        "HOME",
        "HOSTNAME",
        "JOB_ID",
        "LANG",
        "LANGUAGE",
        "LC_ALL",
        "LC_CTYPE",
        "LOGNAME",
        "MAX_EVENT_RES",
        "NO_COLOR",
        "ORIGINAL_STDOUT_CALLBACK",
        "PATH",
        "PROJECT_UPDATE_ID",
        "PWD",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "PYTHONUTF8",
        "RUNNER_OMIT_EVENTS",
        "RUNNER_ONLY_FAILED_EVENTS",
        "SHELL",
        "TERM",
        "TMPDIR",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
    }
)
"""The variables whose values are shown; all others are hidden, since any may hold a credential."""


def redact(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with every value hidden that may be a secret."""
    return {name: value if name in HARMLESS else REDACTED for name, value in env.items()}
