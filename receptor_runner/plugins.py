"""Plugins for ansible-runner, such as ansible-runner-http, called for statuses and events without ansible-runner."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from receptor_runner.env_files import EnvFiles
from receptor_runner.handlers import EventHandler, Handlers, RunnerConfig
from receptor_runner.system.packages import registers_entry_points

log = logging.getLogger("receptor_runner.plugins")

GROUP = "ansible_runner.plugins"
"""The entry points that ansible-runner's plugins register."""


class PluginModule(Protocol):
    """What a plugin's module offers."""

    def status_handler(self, runner_config: Any, data: dict[str, Any]) -> object:
        """Take a status line."""

    def event_handler(self, runner_config: Any, data: dict[str, Any]) -> object:
        """Take an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """An installed plugin: the name of its entry point, and its module."""

    name: str
    module: PluginModule


def installed_plugins() -> list[Plugin]:
    """Import and return the plugins that are installed, in the order of their names.

    One that cannot be imported is reported in the log.
    """
    if not registers_entry_points(GROUP):
        return []
    from importlib import metadata

    found = []
    for entry in sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            found.append(Plugin(name=entry.name, module=entry.load()))
        except Exception as error:
            log.warning("cannot load the plugin %s: %s", entry.name, error)
    return found


def with_plugins(handlers: Handlers, config: RunnerConfig) -> Handlers:
    """Return handlers that also call every installed plugin.

    Args:
        handlers: the caller's own.
        config: what plugins are told of the job; their settings are in its `settings`, to which those of `env/settings`
            are added.

    Raises:
        ConfigError: there are plugins, and `env/settings` cannot be parsed.

    Source: ansible-runner's process calls its plugins for a status before, and for an event after, the caller's
    handler. There a plugin that fails ends the reading of the results; here it is logged.
    """
    plugins = installed_plugins()
    if not plugins:
        return handlers
    root = Path(config.private_data_dir)
    config.settings = EnvFiles(root=root, shown=root).settings(config.settings)
    return dataclasses.replace(
        handlers,
        status_handler=_status_handler(handlers.status_handler, config, plugins),
        event_handler=_event_handler(handlers.event_handler, config, plugins),
    )


def _status_handler(
    own: Callable[..., Any], config: RunnerConfig, plugins: Sequence[Plugin]
) -> Callable[..., Any]:
    def tell(data: dict[str, Any], runner_config: RunnerConfig) -> None:
        for plugin in plugins:
            _call(plugin, plugin.module.status_handler, config, data)
        own(data, runner_config=runner_config)

    return tell


def _event_handler(own: EventHandler | None, config: RunnerConfig, plugins: Sequence[Plugin]) -> EventHandler:
    def tell(event: dict[str, Any]) -> Any:
        keep = own(event) if own else True
        for plugin in plugins:
            _call(plugin, plugin.module.event_handler, config, event)
        return keep

    return tell


def _call(
    plugin: Plugin, handler: Callable[[Any, dict[str, Any]], object], config: Any, data: dict[str, Any]
) -> None:
    try:
        handler(config, data)
    except Exception as error:
        log.warning("the plugin %s failed: %s: %s", plugin.name, type(error).__name__, error)
