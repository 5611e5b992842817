"""Which addresses and node ids a mesh can use."""

from __future__ import annotations

import ipaddress
import re

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")
_LONGEST_NAME, _LONGEST_LABEL = 253, 63
# A certificate's common name holds 64 characters.
_LONGEST_NODE_ID = 64
_NODE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_TAKEN = {
    "localhost": "Receptor reserves it",
    "ca": "`mesh render` uses that name for the certificate authority",
    "inventory.yml": "`mesh render` uses that name for the inventory",
    "all": "Ansible uses that name for a group",
    "ungrouped": "Ansible uses that name for a group",
}


def address_fault(address: str) -> str | None:
    """Return why no certificate can carry an address, None if one can.

    Args:
        address: a host name or an IP address.
    """
    if ":" in address or "[" in address:
        return _colon_fault(address)
    if "*" in address:
        return "a wildcard names no single host"
    if not address.isascii():
        return "a host name in a certificate is ASCII; write its xn-- form"
    if re.fullmatch(r"[0-9.]+", address):
        return _ip_fault(address)
    if len(address) > _LONGEST_NAME:
        return f"a host name has at most {_LONGEST_NAME} characters"
    return next(filter(None, map(_label_fault, address.split("."))), None)


def _colon_fault(address: str) -> str | None:
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        pass
    else:
        return _ip_fault(address)
    if re.fullmatch(r"[^:]*:\d+|\[.*\]:\d+", address):
        return "it contains a port; write the port as `port:`"
    if address.startswith("["):
        return "an IPv6 address is written without brackets"
    return "neither a host name nor an IP address"


def _ip_fault(address: str) -> str | None:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "not an IP address"
    if isinstance(ip, ipaddress.IPv6Address) and ip.scope_id:
        return "an IPv6 zone is valid on one machine only"
    if ip.is_unspecified or ip.is_multicast:
        return "it is not the address of one host"
    return None


def _label_fault(label: str) -> str | None:
    if not label:
        return "it has an empty part"
    if len(label) > _LONGEST_LABEL:
        return f"a part of a host name has at most {_LONGEST_LABEL} characters"
    if "_" in label:
        return "a host name has no underscore"
    if re.search(r"\s", label):
        return "a host name has no space"
    if not _LABEL.fullmatch(label):
        return "a host name has letters, digits and inner hyphens only"
    return None


def is_loopback(address: str) -> bool:
    """Return whether an address means another machine on every machine."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.lower() == "localhost" or address.lower().endswith(".localhost")


def node_id_fault(name: str) -> str | None:
    """Return why a name cannot be a node id, None if it can.

    A node id is also the name of a directory, of an inventory host and of a certificate.

    Source: the daemon refuses `localhost` in any case.
    """
    if name.lower() in _TAKEN:
        return _TAKEN[name.lower()]
    if len(name) > _LONGEST_NODE_ID:
        return f"a certificate holds at most {_LONGEST_NODE_ID} characters"
    if not _NODE_ID.fullmatch(name):
        return "use letters, digits, `.`, `_` and `-`, and begin with a letter, a digit or `_`"
    return None
