"""The blocks and keys that the daemon knows, as `receptor --help` and its Go types have them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Type(Enum):
    """What a key holds."""

    TEXT = "text"
    FLAG = "true or false"
    COUNT = "whole number"
    MODE = "octal mode"
    NUMBER = "number"
    NAMES = "list of text"
    MAP = "map"
    RULES = "list of maps"


class Need(Enum):
    """What happens to a block without the key.

    Source: v1 refuses a block that lacks a key it calls required, whatever its value would be; v2 requires none.
    """

    OPTIONAL = "nothing"
    REQUIRED_IN_V1 = "v1 refuses it, v2 accepts it"
    REQUIRED_TO_BE_FOUND = "v1 refuses it, v2 picks a random value that no peer knows"
    REQUIRED = "it is useless in both forms"


class Reference(Enum):
    """The kind of block that a key refers to."""

    TLS_SERVER = "tls-server"
    TLS_CLIENT = "tls-client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a block; names are lower case here and matched without regard to case.

    Args:
        name: its name.
        type: what it holds.
        need: what happens to the block without it.
        reference: the kind of block it refers to.
        required_by: the key that is useless without this one.
    """

    name: str
    type: Type = Type.TEXT
    need: Need = Need.OPTIONAL
    reference: Reference | None = None
    required_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockKind:
    """One kind of block.

    Args:
        name: its name in a v1 list.
        v2_name: its name in a v2 map, None if v2 does not have it.
        keys: the keys it may have.
        bare: the key that a bare value (`- log-level: debug`) sets, None if a bare value is not allowed.
        once: whether v1 allows only one such block; v2 then takes a map instead of a list.
    """

    name: str
    v2_name: str | None
    keys: tuple[Key, ...]
    bare: str | None = None
    once: bool = False

    def key(self, name: str) -> Key | None:
        """Return the key of that name, whatever its case."""
        return next((key for key in self.keys if key.name == name.lower()), None)


def _texts(*names: str) -> tuple[Key, ...]:
    return tuple(
        Key(name=name.rstrip("!"), need=Need.REQUIRED if name.endswith("!") else Need.OPTIONAL)
        for name in names
    )


def _flags(*names: str) -> tuple[Key, ...]:
    return tuple(Key(name=name, type=Type.FLAG) for name in names)


def _names(*names: str) -> tuple[Key, ...]:
    return tuple(Key(name=name, type=Type.NAMES) for name in names)


def _server(*names: str) -> tuple[Key, ...]:
    return tuple(Key(name=name, reference=Reference.TLS_SERVER) for name in names)


def _client(*names: str) -> tuple[Key, ...]:
    return tuple(Key(name=name, reference=Reference.TLS_CLIENT) for name in names)


_PORT = Key(name="port", type=Type.COUNT, need=Need.REQUIRED_TO_BE_FOUND)
_SERVICE = Key(name="service", need=Need.REQUIRED_TO_BE_FOUND)
_MODE = Key(name="permissions", type=Type.MODE)
_BITS = Key(name="bits", type=Type.COUNT)
_COST = Key(name="cost", type=Type.NUMBER)
_LISTENER = (
    _PORT,
    *_texts("bindaddr"),
    _COST,
    Key(name="nodecost", type=Type.MAP),
    *_names("allowedpeers"),
)
_PEER = (*_texts("address!"), *_flags("redial"), _COST, *_names("allowedpeers"))
_TLS = _flags("skipreceptornamescheck", "mintls13")
_CLIENT_PAIR = (
    Key(name="cert", need=Need.REQUIRED_IN_V1, required_by="key"),
    Key(name="key", need=Need.REQUIRED_IN_V1, required_by="cert"),
)
_PROXY_IN = (_PORT, *_texts("bindaddr", "remotenode!", "remoteservice!"))
_PROXY_OUT = (_SERVICE, *_texts("address!"))

BLOCKS = (
    BlockKind(
        name="node",
        v2_name="node",
        once=True,
        bare="id",
        keys=(
            *_texts("id", "datadir", "maxidleconnectiontimeout"),
            Key(name="firewallrules", type=Type.RULES),
            *_texts("receptorkubesupportreconnect", "receptorkubeclientsetqps"),
            *_texts("receptorkubeclientsetburst", "receptorkubeclientsetratelimiter"),
        ),
    ),
    BlockKind(name="local-only", v2_name="local-only", once=True, keys=_flags("local")),
    BlockKind(name="log-level", v2_name="log-level", once=True, bare="level", keys=_texts("level")),
    BlockKind(name="trace", v2_name="trace", once=True, keys=()),
    BlockKind(name="version", v2_name=None, keys=()),
    BlockKind(
        name="control-service",
        v2_name="control-services",
        keys=(*_texts("service", "filename", "tcplisten"), _MODE, *_server("tls", "tcptls")),
    ),
    BlockKind(
        name="tls-server",
        v2_name="tls-servers",
        keys=(
            *_texts("name!", "cert!", "key!", "clientcas"),
            *_TLS,
            *_flags("requireclientcert"),
            *_names("pinnedclientcert"),
        ),
    ),
    BlockKind(
        name="tls-client",
        v2_name="tls-clients",
        keys=(
            *_texts("name!", "rootcas"),
            *_CLIENT_PAIR,
            *_TLS,
            *_flags("insecureskipverify"),
            *_names("pinnedservercert"),
        ),
    ),
    BlockKind(name="tcp-listener", v2_name="tcp-listeners", bare="port", keys=(*_LISTENER, *_server("tls"))),
    BlockKind(name="tcp-peer", v2_name="tcp-peers", bare="address", keys=(*_PEER, *_client("tls"))),
    BlockKind(name="udp-listener", v2_name="udp-listeners", bare="port", keys=_LISTENER),
    BlockKind(name="udp-peer", v2_name="udp-peers", bare="address", keys=_PEER),
    BlockKind(
        name="ws-listener",
        v2_name="ws-listeners",
        bare="port",
        keys=(*_LISTENER, *_texts("path"), *_server("tls")),
    ),
    BlockKind(
        name="ws-peer",
        v2_name="ws-peers",
        bare="address",
        keys=(*_PEER, *_texts("extraheader"), *_client("tls")),
    ),
    BlockKind(
        name="work-command",
        v2_name="work-commands",
        keys=(
            *_texts("worktype!", "command!", "params"),
            *_flags("allowruntimeparams", "verifysignature"),
        ),
    ),
    BlockKind(
        name="work-kubernetes",
        v2_name="work-kubernetes",
        keys=(
            *_texts(
                "worktype!", "namespace", "image", "command", "params", "authmethod", "kubeconfig", "pod"
            ),
            *_flags("allowruntimeauth", "allowruntimecommand", "allowruntimeparams", "allowruntimepod"),
            *_flags("deletepodonrestart", "verifysignature"),
            *_texts("streammethod"),
        ),
    ),
    BlockKind(
        name="work-python",
        v2_name=None,
        keys=(*_texts("worktype!", "plugin!", "function!"), Key(name="config", type=Type.MAP)),
    ),
    BlockKind(
        name="work-signing",
        v2_name="work-signing",
        once=True,
        bare="privatekey",
        keys=_texts("privatekey!", "tokenexpiration"),
    ),
    BlockKind(
        name="work-verification",
        v2_name="work-verification",
        once=True,
        bare="publickey",
        keys=_texts("publickey!"),
    ),
    BlockKind(name="command-service", v2_name=None, keys=(_SERVICE, *_texts("command!"), *_server("tls"))),
    BlockKind(
        name="ip-router",
        v2_name="iprouters",
        keys=_texts("networkname!", "interface", "localnet!", "routes"),
    ),
    BlockKind(
        name="tcp-server",
        v2_name="tcp-servers",
        keys=(*_PROXY_IN, *_server("tlsserver"), *_client("tlsclient")),
    ),
    BlockKind(
        name="tcp-client",
        v2_name="tcp-clients",
        keys=(*_PROXY_OUT, *_server("tlsserver"), *_client("tlsclient")),
    ),
    BlockKind(name="udp-server", v2_name="udp-servers", keys=_PROXY_IN),
    BlockKind(name="udp-client", v2_name="udp-clients", keys=_PROXY_OUT),
    BlockKind(
        name="unix-socket-server",
        v2_name="unix-socket-servers",
        keys=(*_texts("filename!"), _MODE, *_texts("remotenode!", "remoteservice!"), *_client("tls")),
    ),
    BlockKind(
        name="unix-socket-client",
        v2_name="unix-socket-clients",
        keys=(_SERVICE, *_texts("filename!"), *_server("tls")),
    ),
    BlockKind(
        name="cert-init",
        v2_name="cert-init",
        keys=(*_texts("commonname!", "notbefore", "notafter", "outcert!", "outkey!"), _BITS),
    ),
    BlockKind(
        name="cert-makereq",
        v2_name="cert-makereqs",
        keys=(
            *_texts("commonname!", "outreq!", "inkey", "outkey"),
            *_names("dnsname", "ipaddress", "nodeid"),
            _BITS,
        ),
    ),
    BlockKind(
        name="cert-signreq",
        v2_name="cert-signreqs",
        keys=(
            *_texts("req!", "cacert!", "cakey!", "notbefore", "notafter", "outcert!"),
            *_flags("verify"),
        ),
    ),
)

BACKENDS = ("local-only", "tcp-listener", "tcp-peer", "udp-listener", "udp-peer", "ws-listener", "ws-peer")
LISTENERS = ("tcp-listener", "udp-listener", "ws-listener")
PEERS = ("tcp-peer", "udp-peer", "ws-peer")

V1_KINDS = {kind.name: kind for kind in BLOCKS}
V2_KINDS = {kind.v2_name: kind for kind in BLOCKS if kind.v2_name is not None}
