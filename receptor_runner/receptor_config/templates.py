"""The templates of receptor.yml: the purpose of each, and what can be set in it."""

from __future__ import annotations

from dataclasses import dataclass

from receptor_runner.errors import UsageError
from receptor_runner.receptor_config.template_settings import WORKER, Setting, SettingKind
from receptor_runner.receptor_config.values import closest


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One template.

    Args:
        name: what `config render` calls it; its text is the file NAME.yml.j2.
        purpose: one line for people.
        settings: what can be set, with defaults.
        on_this_machine: whether the file is usually for the machine that it is rendered on.
    """

    name: str
    purpose: str
    settings: tuple[Setting, ...]
    on_this_machine: bool = False


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
    raise UsageError(f"unknown template {name!r}", hint=hint)


def _local() -> Template:
    return Template(
        name="local",
        purpose="One machine, no mesh: the node runs its own jobs.",
        settings=(*_node("primary", datadir="receptor", socket="control.sock"), *_work()),
        on_this_machine=True,
    )


def _control() -> Template:
    return Template(
        name="control",
        purpose="The hub of a mesh: clients submit jobs here, other nodes run them.",
        settings=(
            *_mesh_node("control"),
            *_links(listen="0.0.0.0:27199"),
            *_tls(),
            _path("signing_key", "", "RSA private key that signs submitted work"),
            Setting(
                name="token_expiration",
                kind=SettingKind.DURATION,
                default="10m",
                help="how long a signature is valid",
            ),
            _firewall(),
        ),
    )


def _worker() -> Template:
    return Template(
        name="worker",
        purpose="A node that runs jobs for others; it connects out to peers, or listens.",
        settings=(
            *_mesh_node("worker"),
            *_links(listen=""),
            *_tls(),
            _path("verify_key", "", "RSA public key; the node then refuses unsigned work"),
            Setting(
                name="accept_from",
                kind=SettingKind.NAMES,
                default="",
                help="the only nodes that may use the control service; if empty, all may",
            ),
            *_work(),
        ),
    )


def _hop() -> Template:
    return Template(
        name="hop",
        purpose="A node between networks: it forwards traffic and runs no jobs.",
        settings=(*_mesh_node("hop"), *_links(listen="0.0.0.0:27199"), *_tls(), _firewall()),
    )


def _mesh_node(node_id: str) -> tuple[Setting, ...]:
    return _node(node_id, datadir="/var/lib/receptor", socket="/run/receptor/receptor.sock")


def _node(node_id: str, *, datadir: str, socket: str) -> tuple[Setting, ...]:
    return (
        _text("id", node_id, "the node's name, unique in the mesh"),
        _path("datadir", datadir, "where units are kept; it must survive a reboot"),
        _path("socket", socket, "the control socket for clients on the same machine"),
        Setting(
            name="permissions",
            kind=SettingKind.MODE,
            default="0600",
            help="the mode of the control socket, octal",
        ),
        Setting(
            name="log_level",
            kind=SettingKind.LEVEL,
            default="info",
            help="error, warning, info or debug",
        ),
    )


def _work() -> tuple[Setting, ...]:
    return (
        _text("worktype", "receptor-runner", "the work type that jobs name"),
        Setting(
            name="command",
            kind=SettingKind.COMMAND,
            default=WORKER,
            help=f"the worker's program; `{WORKER}` is this installation's with --here, "
            "else the one in the PATH of that machine's daemon",
        ),
        _text("params", "worker", "the worker's parameters"),
        Setting(
            name="keepalive_seconds",
            kind=SettingKind.COUNT,
            default="",
            help="seconds between keepalive messages of a quiet job",
        ),
        _flag("allow_runtime_params", "true", "clients may add worker parameters"),
    )


def _links(*, listen: str) -> tuple[Setting, ...]:
    return (
        Setting(
            name="listen",
            kind=SettingKind.ADDRESS,
            default=listen,
            help="where peers connect to, host:port",
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
            help="the only node ids that may link to this node; if empty, all may",
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
        _flag("tls", "false", "mutual TLS on links and on the control service"),
        _path(
            "tls_cert", "/etc/receptor/tls/{id}.crt", "certificate that carries the node id as an otherName"
        ),
        _path("tls_key", "/etc/receptor/tls/{id}.key", "its private key"),
        _path("tls_ca", "/etc/receptor/tls/ca.crt", "the certificate of the mesh's own authority"),
        _flag("tls_min_13", "true", "refuse TLS older than 1.3"),
    )


def _firewall() -> Setting:
    return _flag("firewall", "true", "refuse other nodes the control service of this one")


def _text(name: str, default: str, help_line: str) -> Setting:
    return Setting(name=name, kind=SettingKind.TEXT, default=default, help=help_line)


def _path(name: str, default: str, help_line: str) -> Setting:
    return Setting(name=name, kind=SettingKind.PATH, default=default, help=help_line)


def _flag(name: str, default: str, help_line: str) -> Setting:
    return Setting(name=name, kind=SettingKind.FLAG, default=default, help=help_line)
