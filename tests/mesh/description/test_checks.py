"""Each fault of a mesh.yml is found, on its line."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from receptor_runner.mesh.linter import check_text
from receptor_runner.receptor_config.findings import Severity

HEAD = "nodes:\n  c: {role: control, address: c.example.com}\n"
WORKER = "  w: {role: worker, address: w.example.com, peers: [c]}\n"

FAULTS: dict[str, tuple[str, int, str, str]] = {
    "not yaml": ("nodes: [\n", 2, "syntax", "invalid YAML"),
    "no map": ("- a\n", 1, "layout", "a mesh.yml is a map"),
    "empty": ("", 1, "layout", "a mesh.yml is a map"),
    "no nodes": ("name: x\n", 1, "no-nodes", "no nodes"),
    "nodes are a list": ("nodes:\n  - a\n", 1, "bad-value", "`nodes` of a mesh.yml must be a map"),
    "unknown key": (HEAD + WORKER + "sigend: true\n", 4, "unknown-key", "no key `sigend`"),
    "unknown key of a node": (
        HEAD + "  w: {role: worker, pears: [c]}\n",
        3,
        "unknown-key",
        "node `w` has no key `pears`",
    ),
    "duplicate node": (HEAD + WORKER + WORKER, 4, "duplicate-key", "w is set twice, first on line 3"),
    "case twins": (HEAD + WORKER + WORKER.replace("w:", "W:"), 4, "node-id", "differ only in case"),
    "two roles": (HEAD + "  w: {role: [worker, hop], peers: [c]}\n", 3, "role", "node `w` has several roles"),
    "two roles as keys": (
        HEAD + "  w:\n    role: worker\n    role: hop\n    peers: [c]\n",
        5,
        "duplicate-key",
        "role is set twice",
    ),
    "no role": (HEAD + "  w: {peers: [c]}\n", 3, "role", "node `w` has no role"),
    "unknown role": (HEAD + "  w: {role: wroker, peers: [c]}\n", 3, "role", "unknown role `wroker`"),
    "no map for a node": (HEAD + "  w: worker\n", 3, "bad-value", "needs a map with its role"),
    "unknown peer": (HEAD + WORKER.replace("[c]", "[d]"), 3, "unknown-node", "unknown peer `d`"),
    "own peer": (HEAD + WORKER.replace("[c]", "[c, w]"), 3, "self-peer", "node `w` is its own peer"),
    "peer twice": (HEAD + WORKER.replace("[c]", "[c, c]"), 3, "duplicate-value", "lists c twice"),
    "peers are a map": (HEAD + WORKER.replace("[c]", "{c: 1}"), 3, "bad-value", "must be a list of names"),
    "no link": (HEAD + WORKER + "  x: {role: worker}\n", 4, "no-link", "worker `x` has no link"),
    "unreachable worker": (
        HEAD + WORKER + "  h: {role: hop}\n  x: {role: worker, peers: [h]}\n",
        5,
        "unreachable",
        "no control node has a path to worker `x`",
    ),
    "no control": (
        "nodes:\n  w: {role: worker, peers: [h]}\n  h: {role: hop}\n",
        1,
        "no-control",
        "no node is",
    ),
    "underscore": (HEAD + "  w_1: {role: worker, peers: [c]}\n", 3, "address", "its name cannot be one"),
    "blank": (
        HEAD + "  w: {role: worker, address: w 1, peers: [c]}\n",
        3,
        "address",
        "a host name has no space",
    ),
    "wildcard": (
        HEAD + WORKER.replace("w.example.com", "'*.example.com'"),
        3,
        "address",
        "wild",
    ),
    "port in address": (HEAD + WORKER.replace("w.example.com", '"w.example.com:22"'), 3, "address", "a port"),
    "label too long": (HEAD + WORKER.replace("w.example.com", "a" * 64), 3, "address", "at most 63"),
    "name too long": (
        HEAD + WORKER.replace("w.example.com", ".".join(["a" * 50] * 6)),
        3,
        "address",
        "at most 253",
    ),
    "empty address": (
        HEAD + WORKER.replace("w.example.com", '""'),
        3,
        "empty-value",
        "`address` of node `w` is empty",
    ),
    "bad ip": (HEAD + WORKER.replace("w.example.com", "192.0.2.300"), 3, "address", "not an IP address"),
    "any ip": (
        HEAD + WORKER.replace("w.example.com", "0.0.0.0"),
        3,
        "address",
        "not the address of one host",
    ),
    "zone": (HEAD + WORKER.replace("w.example.com", '"fe80::1%eth0"'), 3, "address", "zone"),
    "brackets": (HEAD + WORKER.replace("w.example.com", '"[2001:db8::1]"'), 3, "address", "without brackets"),
    "url": (HEAD + WORKER.replace("w.example.com", '"ssh://w"'), 3, "address", "neither"),
    "accents": (HEAD + WORKER.replace("w.example.com", "wörker"), 3, "address", "xn--"),
    "localhost as id": (
        HEAD + "  LocalHost: {role: worker, peers: [c]}\n",
        3,
        "node-id",
        "Receptor reserves it",
    ),
    "slash in id": (HEAD + WORKER.replace("w:", "a/b:"), 3, "node-id", "cannot be a node id"),
    "taken id": (HEAD + WORKER.replace("w:", "ca:"), 3, "node-id", "certificate authority"),
    "id of a group": (HEAD + WORKER.replace("w:", "all:"), 3, "node-id", "Ansible uses that name"),
    "long id": (HEAD + WORKER.replace("w:", "w" * 65 + ":"), 3, "node-id", "at most 64"),
    "port out of range": (HEAD + WORKER.replace("peers", "port: 65536, peers"), 3, "bad-port", "port 65536"),
    "port in words": (HEAD + WORKER.replace("peers", "port: ssh, peers"), 3, "bad-port", "port ssh"),
    "same address and port": (
        HEAD
        + "  h: {role: hop, address: C.example.com, port: 27199, peers: [c]}\n  w: {role: worker, peers: [c]}\n",
        3,
        "duplicate-address",
        "both listen on",
    ),
    "work type on a hop": (
        HEAD + WORKER + "  h: {role: hop, peers: [c], work_types: {x: /bin/x}}\n",
        4,
        "work-types",
        "is a hop node",
    ),
    "container on a control node": (
        HEAD.replace("com}", "com, execution_environment: {image: x}}") + WORKER,
        2,
        "execution-environment",
        "is a control node",
    ),
    "relative work type": (
        HEAD + WORKER.replace("}", ", work_types: {x: bin/x}}"),
        3,
        "relative-path",
        "not an absolute path: bin/x",
    ),
    "open quote": (HEAD + WORKER.replace("}", ', work_types: {x: "/bin/x \'a"}}'), 3, "params", "open quote"),
    "our work type": (
        HEAD + WORKER.replace("}", ", work_types: {receptor-runner: /bin/x}}"),
        3,
        "work-type-taken",
        "receptor-runner itself",
    ),
    "reserved work type": (
        HEAD + WORKER.replace("}", ", work_types: {remote: /bin/x}}"),
        3,
        "work-type-reserved",
        "the daemon's own",
    ),
    "no image": (HEAD + WORKER + "execution_environment: {}\n", 4, "no-image", "names no image"),
    "unknown engine": (
        HEAD + WORKER.replace("}", ", execution_environment: {image: x, engine: bwrap}}"),
        3,
        "engine",
        "unknown container engine `bwrap`",
    ),
    "image of the whole mesh": (
        HEAD + WORKER + WORKER.replace("w", "x") + "execution_environment: {image: a b}\n",
        5,
        "image",
        "not the name of an image",
    ),
    "image with blanks": (
        HEAD + WORKER.replace("}", ", execution_environment: {image: a b}}"),
        3,
        "image",
        "not the name of an image",
    ),
    "relative prefix": ("prefix: etc\n" + HEAD + WORKER, 1, "relative-path", "not an absolute path"),
    "odd prefix": ("prefix: /etc/my receptor\n" + HEAD + WORKER, 1, "odd-path", "spaces"),
    "long socket": (f"socket: /run/{'s' * 110}\n" + HEAD + WORKER, 1, "socket-path", "at most 107"),
    "odd flag": ("tls: maybe\n" + HEAD + WORKER, 1, "bad-value", "must be true or false"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_fault_is_found(case: str) -> None:
    """There is an error with that code, on that line, that says what is wrong."""
    text, line, code, message = FAULTS[case]

    found = [finding for finding in check_text(text) if finding.severity is Severity.ERROR]
    assert [(finding.line, finding.code) for finding in found].count((line, code)) == 1, found
    assert any(message in finding.message for finding in found if finding.code == code), found


TRAPS: dict[str, tuple[str, int, str]] = {
    "nobody works": ("nodes:\n  c: {role: control}\n  d: {role: control, peers: [c]}\n", 1, "no-worker"),
    "both connect": (HEAD.replace("com}", "com, peers: [w]}") + WORKER, 3, "double-link"),
    "loopback": (HEAD.replace("c.example.com", "127.0.0.1") + WORKER, 2, "loopback"),
    "units in /tmp": ("datadir: /var/tmp/units\n" + HEAD + WORKER, 1, "datadir-tmp"),
    "one host": (HEAD + WORKER.replace("w.example.com", "c.example.com"), 3, "shared-host"),
    "two halves": (
        HEAD + WORKER + "  d: {role: control}\n  x: {role: worker, peers: [d]}\n",
        5,
        "split-mesh",
    ),
}


@pytest.mark.parametrize("case", TRAPS)
def test_trap_is_a_warning(case: str) -> None:
    """What may be meant is a warning, and there is no error."""
    text, line, code = TRAPS[case]

    found = check_text(text)
    assert (line, code, Severity.WARNING) in [(one.line, one.code, one.severity) for one in found]
    assert not [finding for finding in found if finding.severity is Severity.ERROR]


@pytest.mark.parametrize(
    ("wrong", "guess"), [("sigend: true", "signed"), ("prefixx: /x", "prefix"), ("node: {}", "nodes")]
)
def test_mistyped_key_gets_a_guess(wrong: str, guess: str) -> None:
    """The hint names the key that was probably meant."""
    hints = [finding.hint for finding in check_text(HEAD + WORKER + wrong + "\n")]

    assert f"did you mean {guess}?" in hints


def test_mistyped_role_causes_no_more_findings() -> None:
    """A mesh whose only control node has a mistyped role is not said to lack one."""
    found = check_text("nodes:\n  c: {role: contol}\n  w: {role: worker, peers: [c]}\n")

    assert [finding.code for finding in found] == ["role"]


TEXTS = st.sampled_from(
    [
        *(
            "a.example.com",
            "192.0.2.1",
            "2001:db8::1",
            "::1",
            "localhost",
            "a b",
            "1",
            "é",
            "'",
            '"',
            "{{ x }}",
            "#",
        ),
        *(
            "/bin/x",
            "/bin/x 'a b'",
            "/bin/x 'a",
            "/bin/x \\",
            "/bin/x\ty",
            "/",
            "x",
            "quay.io/a/b:1",
            "yes",
            "a,b",
        ),
        *(
            "/tmp",
            "/tmp/x",
            "/var/tmp/x",
            "/home/x",
            "//x",
            "/x/",
            "remote",
            "007",
            "null",
            "1.5",
            "$x",
            "%i",
            "=",
            "x:y",
        ),
    ]
)
ENVIRONMENTS = st.fixed_dictionaries({"image": TEXTS}, optional={"engine": TEXTS | st.just("docker")})
OF_MESH = st.sampled_from(["name", "prefix", "datadir", "socket", "venv", "work_type"])
OF_NODE = (
    st.fixed_dictionaries({"address": TEXTS})
    | st.fixed_dictionaries({"port": st.integers(0, 70000)})
    | st.fixed_dictionaries({"work_types": st.dictionaries(TEXTS, TEXTS, max_size=2)})
    | st.fixed_dictionaries({"execution_environment": ENVIRONMENTS})
)


@st.composite
def meshes(draw: st.DrawFn) -> dict[str, object]:
    """Return a mesh of two nodes with a few odd values; most of it is right, so that some have no error at all."""
    worker = {"role": "worker", "peers": ["c"], "address": "w.example.com", **draw(OF_NODE)}
    name = draw(st.just("w") | TEXTS)
    nodes = {"c": {"role": "control", "address": "c.example.com"}, name: worker}
    return {draw(OF_MESH): draw(TEXTS), "tls": draw(st.booleans()), "nodes": nodes}


@given(mesh=meshes())
@settings(max_examples=400, deadline=None)
def test_faults_are_found_before_anything_is_rendered(mesh: object) -> None:
    """What is said of a mesh.yml is said about it, not about a receptor.yml that nobody has seen."""
    found = check_text(yaml.safe_dump(mesh, sort_keys=False, allow_unicode=True))

    assert [finding for finding in found if finding.message.startswith("receptor.yml of node")] == []
