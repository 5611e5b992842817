"""The node configs on offer: each role's purpose and what can be set in it."""

from __future__ import annotations

from dataclasses import dataclass

from receptor_runner.errors import UsageError
from receptor_runner.receptor_config.settings import Kind, Option, default_command
from receptor_runner.receptor_config.values import closest


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One node config on offer.

    Args:
        name: what `config render` calls it; its text is the file NAME.yml.j2.
        purpose: one line for people.
        options: what can be set, with defaults.
    """

    name: str
    purpose: str
    options: tuple[Option, ...]


def list_templates() -> tuple[Template, ...]:
    """Return every template with its options and their defaults."""
    return (_local(), _control(), _worker(), _hop())


def find_template(name: str) -> Template:
    """Return the template of that name.

    Raises:
        UsageError: there is none.
    """
    known = {template.name: template for template in list_templates()}
    if name in known:
        return known[name]
    guess = closest(name, known)
    hint = f"did you mean {guess}?" if guess else f"the templates are {', '.join(known)}"
    raise UsageError(f"there is no template {name!r}", hint=hint)


def _local() -> Template:
    options = (
        *_node("primary", datadir="receptor", socket="control.sock"),
        *_work(),
    )
    return Template(
        name="local", purpose="One machine, no mesh: the node runs its own jobs.", options=options
    )


def _control() -> Template:
    options = (
        *_mesh_node("control"),
        *_links(listen="0.0.0.0:27199"),
        *_tls(),
        Option(
            name="signing_key", kind=Kind.PATH, default="", help="RSA private key that signs submitted work"
        ),
        Option(
            name="token_expiration",
            kind=Kind.DURATION,
            default="10m",
            help="how long a signature is good for",
        ),
        _firewall(),
    )
    return Template(
        name="control",
        purpose="The hub of a mesh: clients submit jobs here, other nodes run them.",
        options=options,
    )


def _worker() -> Template:
    options = (
        *_mesh_node("worker"),
        *_links(listen=""),
        *_tls(),
        Option(
            name="verify_key",
            kind=Kind.PATH,
            default="",
            help="RSA public key; unsigned work is then refused",
        ),
        Option(
            name="accept_from",
            kind=Kind.NAMES,
            default="",
            help="the only nodes that may use the control service; all when empty",
        ),
        *_work(),
    )
    return Template(
        name="worker",
        purpose="A node that runs jobs for others; it connects out to peers, or listens.",
        options=options,
    )


def _hop() -> Template:
    options = (*_mesh_node("hop"), *_links(listen="0.0.0.0:27199"), *_tls(), _firewall())
    return Template(
        name="hop", purpose="A node between networks: it passes traffic on and runs no jobs.", options=options
    )


def _mesh_node(node_id: str) -> tuple[Option, ...]:
    return _node(node_id, datadir="/var/lib/receptor", socket="/run/receptor/receptor.sock")


def _node(node_id: str, *, datadir: str, socket: str) -> tuple[Option, ...]:
    return (
        Option(name="id", kind=Kind.TEXT, default=node_id, help="the node's name, unique in the mesh"),
        Option(name="datadir", kind=Kind.PATH, default=datadir, help="where units are kept, across reboots"),
        Option(name="socket", kind=Kind.PATH, default=socket, help="the control socket for local clients"),
        Option(name="permissions", kind=Kind.MODE, default="0600", help="the control socket's mode, octal"),
        Option(name="log_level", kind=Kind.LEVEL, default="info", help="error, warning, info or debug"),
    )


def _work() -> tuple[Option, ...]:
    return (
        Option(name="worktype", kind=Kind.TEXT, default="receptor-runner", help="the work type jobs ask for"),
        Option(name="command", kind=Kind.COMMAND, default=default_command(), help="the worker's program"),
        Option(name="params", kind=Kind.TEXT, default="worker", help="the worker's parameters"),
        Option(
            name="keepalive_seconds",
            kind=Kind.COUNT,
            default="",
            help="seconds between keepalive messages of a quiet job",
        ),
        Option(
            name="allow_runtime_params",
            kind=Kind.FLAG,
            default="true",
            help="clients may add worker parameters",
        ),
    )


def _links(*, listen: str) -> tuple[Option, ...]:
    return (
        Option(name="listen", kind=Kind.ADDRESS, default=listen, help="where peers connect to, host:port"),
        Option(name="peers", kind=Kind.ADDRESSES, default="", help="nodes to connect out to, host:port,..."),
        Option(
            name="allowed_peers",
            kind=Kind.NAMES,
            default="",
            help="node ids that may link here; all when empty",
        ),
        Option(
            name="max_idle",
            kind=Kind.DURATION,
            default="",
            help="how long a silent link is kept, at least 21s",
        ),
    )


def _tls() -> tuple[Option, ...]:
    return (
        Option(
            name="tls", kind=Kind.FLAG, default="false", help="mutual TLS on links and on the control service"
        ),
        Option(
            name="tls_cert",
            kind=Kind.PATH,
            default="/etc/receptor/tls/{id}.crt",
            help="certificate carrying the node id as otherName",
        ),
        Option(name="tls_key", kind=Kind.PATH, default="/etc/receptor/tls/{id}.key", help="its private key"),
        Option(
            name="tls_ca", kind=Kind.PATH, default="/etc/receptor/tls/ca.crt", help="the mesh's own authority"
        ),
        Option(name="tls_min_13", kind=Kind.FLAG, default="true", help="refuse TLS older than 1.3"),
    )


def _firewall() -> Option:
    return Option(
        name="firewall", kind=Kind.FLAG, default="true", help="keep other nodes from driving this one"
    )
