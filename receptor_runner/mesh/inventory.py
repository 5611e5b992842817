"""The Ansible inventory of a mesh, from which its hosts are set up."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import yaml

from receptor_runner.errors import ConfigError, pasteable
from receptor_runner.mesh.description import MeshDescription, Role
from receptor_runner.mesh.systemd import SERVICE

if TYPE_CHECKING:
    from pathlib import Path

    from receptor_runner.mesh.description import MeshNode

INVENTORY = "inventory.yml"
_HEAD = "# Written by `receptor-runner mesh render`; changes here are lost. Hosts and variables come from mesh.yml.\n"


def group_of(role: Role) -> str:
    """Return the inventory group of a role.

    Not the bare role: nodes are often called like their roles, and Ansible warns of a host that is named like a group.
    """
    return f"receptor_{role.value}"


def inventory_text(description: MeshDescription) -> str:
    """Return the inventory: a host for each node, a group for each role."""
    groups = {
        group_of(role): {"hosts": {node.name: _host(node) for node in description.with_role(role)}}
        for role in Role  # those without nodes too: Ansible warns of a group that is not there
    }
    shared = {
        "receptor_mesh": description.name,
        "receptor_prefix": description.prefix,
        "receptor_venv": description.venv,
        "receptor_datadir": description.datadir,
        "receptor_socket": description.socket,
        "receptor_service": PurePath(SERVICE).stem,
    }
    held = {"all": {"vars": {name: _literal(value) for name, value in shared.items()}, "children": groups}}
    return _HEAD + yaml.safe_dump(held, sort_keys=False, allow_unicode=True)


def read_roles(directory: Path) -> dict[str, Role]:
    """Return the nodes in the inventory of a rendered directory and the role of each; {} without an inventory.

    Raises:
        ConfigError: the inventory is not one that was rendered.
    """
    path = directory / INVENTORY
    try:
        groups = yaml.safe_load(path.read_text(encoding="utf-8"))["all"]["children"]
        return {name: role for role in Role for name in groups.get(group_of(role), {}).get("hosts", {})}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as fault:
        hint = pasteable("receptor-runner", "mesh", "render", "-o", directory)
        raise ConfigError(f"{path} is not the inventory of a mesh", cause=str(fault), hint=hint) from fault


def _host(node: MeshNode) -> dict[str, Any]:
    # Relative to the inventory: the rendered directory may be moved.
    return {"ansible_host": node.address, "receptor_node_dir": f"{{{{ inventory_dir }}}}/{node.name}"}


def _literal(text: str) -> str:
    """Return a text that Ansible does not take for a template."""
    return f"{{% raw %}}{text}{{% endraw %}}" if "{{" in text or "{%" in text or "{#" in text else text
