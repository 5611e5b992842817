"""The node configs on offer: each role's purpose and what can be set in it."""

from __future__ import annotations

from dataclasses import dataclass

from receptor_runner.errors import UsageError
from receptor_runner.receptor_config.template_settings import Setting, SettingKind, default_command
from receptor_runner.receptor_config.values import closest


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One node config on offer.

    Args:
        name: what `config render` calls it; its text is the file NAME.yml.j2.
        purpose: one line for people.
        settings: what can be set, with defaults.
    """

    name: str
    purpose: str
    settings: tuple[Setting, ...]


def list_templates() -> tuple[Template, ...]:
    """Return every template with its settings and their defaults."""
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
    settings = (
        *_node("primary", datadir="receptor", socket="control.sock"),
        *_work(),
    )
    return Template(
        name="local", purpose="One machine, no mesh: the node runs its own jobs.", settings=settings
    )


def _control() -> Template:
    settings = (
        *_mesh_node("control"),
        *_links(listen="0.0.0.0:27199"),
        *_tls(),
        Setting(
            name="signing_key",
            kind=SettingKind.PATH,
            default="",
            help="RSA private key that signs submitted work",
        ),
        Setting(
            name="token_expiration",
            kind=SettingKind.DURATION,
            default="10m",
            help="how long a signature is good for",
        ),
        _firewall(),
    )
    return Template(
        name="control",
        purpose="The hub of a mesh: clients submit jobs here, other nodes run them.",
        settings=settings,
    )


def _worker() -> Template:
    settings = (
        *_mesh_node("worker"),
        *_links(listen=""),
        *_tls(),
        Setting(
            name="verify_key",
            kind=SettingKind.PATH,
            default="",
            help="RSA public key; unsigned work is then refused",
        ),
        Setting(
            name="accept_from",
            kind=SettingKind.NAMES,
            default="",
            help="the only nodes that may use the control service; all when empty",
        ),
        *_work(),
    )
    return Template(
        name="worker",
        purpose="A node that runs jobs for others; it connects out to peers, or listens.",
        settings=settings,
    )


def _hop() -> Template:
    settings = (*_mesh_node("hop"), *_links(listen="0.0.0.0:27199"), *_tls(), _firewall())
    return Template(
        name="hop",
        purpose="A node between networks: it passes traffic on and runs no jobs.",
        settings=settings,
    )


def _mesh_node(node_id: str) -> tuple[Setting, ...]:
    return _node(node_id, datadir="/var/lib/receptor", socket="/run/receptor/receptor.sock")


def _node(node_id: str, *, datadir: str, socket: str) -> tuple[Setting, ...]:
    return (
        Setting(
            name="id", kind=SettingKind.TEXT, default=node_id, help="the node's name, unique in the mesh"
        ),
        Setting(
            name="datadir",
            kind=SettingKind.PATH,
            default=datadir,
            help="where units are kept, across reboots",
        ),
        Setting(
            name="socket", kind=SettingKind.PATH, default=socket, help="the control socket for local clients"
        ),
        Setting(
            name="permissions", kind=SettingKind.MODE, default="0600", help="the control socket's mode, octal"
        ),
        Setting(
            name="log_level", kind=SettingKind.LEVEL, default="info", help="error, warning, info or debug"
        ),
    )


def _work() -> tuple[Setting, ...]:
    return (
        Setting(
            name="worktype",
            kind=SettingKind.TEXT,
            default="receptor-runner",
            help="the work type jobs ask for",
        ),
        Setting(
            name="command", kind=SettingKind.COMMAND, default=default_command(), help="the worker's program"
        ),
        Setting(name="params", kind=SettingKind.TEXT, default="worker", help="the worker's parameters"),
        Setting(
            name="keepalive_seconds",
            kind=SettingKind.COUNT,
            default="",
            help="seconds between keepalive messages of a quiet job",
        ),
        Setting(
            name="allow_runtime_params",
            kind=SettingKind.FLAG,
            default="true",
            help="clients may add worker parameters",
        ),
    )


def _links(*, listen: str) -> tuple[Setting, ...]:
    return (
        Setting(
            name="listen", kind=SettingKind.ADDRESS, default=listen, help="where peers connect to, host:port"
        ),
        Setting(
            name="peers",
            kind=SettingKind.ADDRESSES,
            default="",
            help="nodes to connect out to, host:port,...",
        ),
        Setting(
            name="allowed_peers",
            kind=SettingKind.NAMES,
            default="",
            help="node ids that may link here; all when empty",
        ),
        Setting(
            name="max_idle",
            kind=SettingKind.DURATION,
            default="",
            help="how long a silent link is kept, at least 21s",
        ),
    )


def _tls() -> tuple[Setting, ...]:
    return (
        Setting(
            name="tls",
            kind=SettingKind.FLAG,
            default="false",
            help="mutual TLS on links and on the control service",
        ),
        Setting(
            name="tls_cert",
            kind=SettingKind.PATH,
            default="/etc/receptor/tls/{id}.crt",
            help="certificate carrying the node id as otherName",
        ),
        Setting(
            name="tls_key",
            kind=SettingKind.PATH,
            default="/etc/receptor/tls/{id}.key",
            help="its private key",
        ),
        Setting(
            name="tls_ca",
            kind=SettingKind.PATH,
            default="/etc/receptor/tls/ca.crt",
            help="the mesh's own authority",
        ),
        Setting(name="tls_min_13", kind=SettingKind.FLAG, default="true", help="refuse TLS older than 1.3"),
    )


def _firewall() -> Setting:
    return Setting(
        name="firewall", kind=SettingKind.FLAG, default="true", help="keep other nodes from driving this one"
    )
