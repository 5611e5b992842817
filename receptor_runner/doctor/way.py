"""The steps on the way to a target node: everything before its worker is started."""

from __future__ import annotations

from pathlib import Path

from receptor_runner.doctor.verdict import Fault, Verdict, failed, failed_by, ok
from receptor_runner.doctor.view import NodeView
from receptor_runner.errors import NodeUnavailable, Unreachable, pasteable
from receptor_runner.receptor.nodes.preflight import Route, choose_work_type, route_to
from receptor_runner.receptor.nodes.tls import find_tls_client
from receptor_runner.receptor_config import certificates
from receptor_runner.receptor_config.document import Block


def check_route(view: NodeView) -> Verdict:
    """Check that the mesh knows the node, and a route to it."""
    try:
        node = view.known()
    except Unreachable as error:
        hint = f"on `{view.name}`: systemctl status receptor; then check the tcp-peer that links it"
        return failed(str(error), Fault.UNREACHABLE, hint)
    way = "direct" if node.next_hop == node.node else f"via {node.next_hop}"
    return ok(way, {"next_hop": node.next_hop, "last_seen": node.last_seen})


def check_ping(view: NodeView) -> Verdict:
    """Check that a message gets there and back."""
    seconds = view.here.control.ping(view.name)
    return ok(f"{seconds * 1000:.1f} ms there and back", {"round_trip_s": seconds})


def check_tls(view: NodeView) -> Verdict:
    """Check that the local node has a TLS client for it, if it requires TLS."""
    node = view.known()
    chosen = view.here.destination.tls_client
    if not node.wants_tls:
        if chosen:
            hint = "leave --tls-client out, or set tls in the control-service of the node"
            return failed(f"node `{view.name}` does not use TLS", Fault.MISCONFIGURED, hint)
        return ok("not required" if node.is_advertised else "not known yet")
    if chosen is None:
        route = Route(node=view.name, local=view.here.node_id, work_type="")
        view.tls_client = find_tls_client(route, view.here.control, view.here.destination.config)
    else:
        view.tls_client = chosen
    return ok(f"required; TLS client `{view.tls_client}`", {"tls_client": view.tls_client})


def check_control(view: NodeView) -> Verdict:
    """Ask the service that takes submitted work: a firewall or a wrong TLS client shows here, before any unit."""
    try:
        reply = view.here.control.status_of(view.name, "NodeID", "Version", tls_client=view.tls_client)
    except Unreachable as error:
        hint = f"look at firewallrules in the receptor.yml of `{view.name}`: they may refuse us the service `control`"
        return failed(f"its control service does not answer: {error}", Fault.UNREACHABLE, hint)
    except NodeUnavailable as error:
        return _refused(view, error)
    view.version = str(reply.get("Version") or "")
    version = f"receptor {view.version}" if view.version else "it answers, but does not state its version"
    return ok(version, {"version": view.version or None})


def _refused(view: NodeView, error: NodeUnavailable) -> Verdict:
    cause = error.cause or error.what
    if error.hint:
        return failed_by(error)
    if "CRYPTO_ERROR" in cause or "tls" in cause.lower() or "certificate" in cause.lower():
        hint = (
            f"the tls-client `{view.tls_client}` needs a certificate and rootcas that `{view.name}` trusts: "
            "receptor-runner config check RECEPTOR_YML of both nodes"
        )
        return failed(f"TLS failed: {cause}", Fault.MISCONFIGURED, hint)
    return failed_by(error, f"look at the log of `{view.name}`")


def check_work_type(view: NodeView) -> Verdict:
    """Check that it offers the work type."""
    node = view.known()
    if not node.is_advertised:
        hint = "repeat this command in a minute"
        return failed("what it offers is not known yet", Fault.UNREACHABLE, hint)
    chosen = choose_work_type(node, view.here.destination.work_type)
    view.route = route_to(node, view.here.node_id, chosen)
    signed = " (signed)" if view.route.wants_signature else ""
    return ok(f"{chosen}{signed}", {"work_types": dict(node.work_types)})


def check_signature(view: NodeView) -> Verdict:
    """Check that the local node can sign, if the work type takes signed work only."""
    assert view.route is not None
    if not view.route.wants_signature:
        return ok("not required")
    if view.here.document is None:
        return ok("required; `worker` shows whether our key is accepted")
    signing = view.here.document.first("work-signing")
    if signing is None or not signing.text("privatekey"):
        summary = f"node `{view.name}` takes signed work only, and the local node has no signing key"
        hint = f"add work-signing, with privatekey and tokenexpiration, to {view.here.document.file}"
        return failed(summary, Fault.MISCONFIGURED, hint)
    return _judge_key(view, signing)


def _judge_key(view: NodeView, signing: Block) -> Verdict:
    path = Path(signing.text("privatekey"))
    facts = {"key": str(path), "token_expiration": signing.text("tokenexpiration")}
    try:
        certificates.read_signing_key(path)
    except PermissionError:
        return ok(f"required; {path} is closed to this user, `worker` shows whether it is accepted", facts)
    except (OSError, ValueError) as error:
        hint = pasteable("openssl", "rsa", "-check", "-noout", "-in", path)
        return failed(f"the signing key {path} cannot be used: {error}", Fault.MISCONFIGURED, hint, facts)
    return ok(f"required; signed with {path}", facts)
