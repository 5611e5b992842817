"""Plugins of ansible-runner, such as ansible-runner-http: told what `process` hears, without ansible-runner."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

from receptor_runner.process import Handlers, RunnerConfig

GROUP = "ansible_runner.plugins"
"""The entry points that ansible-runner's plugins register."""


class Plugin(Protocol):
    """What a plugin's module offers."""

    def status_handler(self, runner_config: Any, data: dict[str, Any]) -> object:
        """Take a status line."""

    def event_handler(self, runner_config: Any, data: dict[str, Any]) -> object:
        """Take an event."""


def installed_plugins() -> list[Plugin]:
    """Import and return the plugins that are installed, in the order of their names."""
    from importlib import metadata

    found = sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name)
    return [cast("Plugin", entry.load()) for entry in found]


def with_plugins(handlers: Handlers, config: RunnerConfig, plugins: Iterable[Plugin]) -> Handlers:
    """Return handlers that also tell every plugin.

    Args:
        handlers: the caller's own.
        config: what plugins are told of the job; its `settings` are where they look for theirs.
        plugins: whom to tell.

    Source: ansible-runner's process tells its plugins of a status before, and of an event after, the caller's handler.
    """
    told = list(plugins)
    if not told:
        return handlers
    return dataclasses.replace(
        handlers,
        status_handler=_status_handler(handlers.status_handler, config, told),
        event_handler=_event_handler(handlers.event_handler, config, told),
    )


def _status_handler(
    own: Callable[..., Any], config: RunnerConfig, plugins: list[Plugin]
) -> Callable[..., Any]:
    def tell(data: dict[str, Any], runner_config: RunnerConfig) -> None:
        for plugin in plugins:
            plugin.status_handler(config, data)
        own(data, runner_config=runner_config)

    return tell


def _event_handler(
    own: Callable[[dict[str, Any]], Any] | None, config: RunnerConfig, plugins: list[Plugin]
) -> Callable[[dict[str, Any]], Any]:
    def tell(event: dict[str, Any]) -> Any:
        keep = own(event) if own else True
        for plugin in plugins:
            plugin.event_handler(config, event)
        return keep

    return tell
