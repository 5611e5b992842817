"""Reading mesh.yml: a description, or findings with the lines they belong to."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receptor_runner.errors import ConfigError, MissingInput
from receptor_runner.mesh.description import ExecutionEnvironment, MeshDescription, MeshNode, Role
from receptor_runner.mesh.reading import load_mesh, read_mesh
from receptor_runner.mesh.sample import sample_text

FULL = """\
name: our mesh
tls: false
signed: no
prefix: /srv/receptor
venv: /srv/venv
datadir: /srv/units
socket: /run/r.sock
work_type: jobs
execution_environment: {image: ee, engine: docker}
nodes:
  control:
    role: control
    address: control.example.com
    port: 27200
  hop: {role: hop, address: 192.0.2.7, peers: control}
  w1:
    role: worker
    address: w1.example.com
    peers: [hop, control]
    work_types:
      uptime: /usr/bin/uptime -p
  w2: {role: worker, peers: [hop], execution_environment: {image: own}}
  w3: {role: worker, peers: [hop], execution_environment: null}
"""


def test_everything_that_a_file_can_say() -> None:
    """Each key becomes the value that stands for it; what is called by others listens."""
    reading = read_mesh(FULL, file="mesh.yml")

    assert reading.findings == ()
    assert reading.description == MeshDescription(
        name="our mesh",
        tls=False,
        signed=False,
        prefix="/srv/receptor",
        venv="/srv/venv",
        datadir="/srv/units",
        socket="/run/r.sock",
        work_type="jobs",
        nodes=(
            MeshNode(name="control", role=Role.CONTROL, address="control.example.com", port=27200),
            MeshNode(name="hop", role=Role.HOP, address="192.0.2.7", port=27199, peers=("control",)),
            MeshNode(
                name="w1",
                role=Role.WORKER,
                address="w1.example.com",
                peers=("hop", "control"),
                work_types={"uptime": "/usr/bin/uptime -p"},
                execution_environment=ExecutionEnvironment(image="ee", engine="docker"),
            ),
            MeshNode(
                name="w2",
                role=Role.WORKER,
                address="w2",
                peers=("hop",),
                execution_environment=ExecutionEnvironment(image="own", engine="podman"),
            ),
            MeshNode(name="w3", role=Role.WORKER, address="w3", peers=("hop",)),
        ),
    )


def test_lines_are_remembered() -> None:
    """Nodes, keys, peers and work types know their line, which no comparison looks at."""
    description = read_mesh(FULL).description
    assert description is not None
    w1 = description.node("w1")

    assert description.line_of("nodes") == 10
    assert (w1.line, w1.line_of("peers/control"), w1.line_of("work_types/uptime")) == (16, 19, 21)
    assert w1.line_of("port") == w1.line


def test_links_go_both_ways() -> None:
    """A node's neighbors are those it connects to and those that connect to it; distances count links."""
    description = read_mesh(FULL).description
    assert description is not None

    assert description.neighbors("hop") == ("control", "w1", "w2", "w3")
    assert description.distances("control") == {"control": 0, "hop": 1, "w1": 1, "w2": 2, "w3": 2}


def test_load_raises_the_first_error(tmp_path: Path) -> None:
    """A caller that needs a usable mesh gets the first fault, its line, and the command that lists all."""
    path = tmp_path / "mesh.yml"
    path.write_text("nodes:\n  a: {role: worker, peers: [b]}\n  c: {role: control, peers: [a], prt: 1}\n")

    with pytest.raises(ConfigError) as caught:
        load_mesh(path)
    assert caught.value.cause == "line 2: node `a` has the unknown peer `b` (and 1 more)"
    assert caught.value.hint == f"receptor-runner mesh check {path}"


def test_load_needs_a_readable_file(tmp_path: Path) -> None:
    """A missing file names the command that writes one; bytes that are not UTF-8 are an error too."""
    with pytest.raises(MissingInput, match="does not exist") as caught:
        load_mesh(tmp_path / "mesh.yml")
    assert caught.value.hint == f"receptor-runner mesh init {tmp_path}/mesh.yml"

    (tmp_path / "latin.yml").write_bytes(b"name: \xff\n")
    with pytest.raises(MissingInput, match="cannot read"):
        load_mesh(tmp_path / "latin.yml")


@pytest.mark.parametrize(("workers", "hops"), [(1, 0), (1, 1), (3, 2), (2, 3)])
def test_sample_has_no_findings(workers: int, hops: int) -> None:
    """What people start from describes what was asked for, without a single finding."""
    reading = read_mesh(sample_text(workers=workers, hops=hops))
    assert reading.description is not None

    assert reading.findings == ()
    assert len(reading.description.with_role(Role.WORKER)) == workers
    assert len(reading.description.with_role(Role.HOP)) == hops


WORDS = st.sampled_from(
    [
        *("name", "tls", "nodes", "role", "address", "port", "peers", "work_types", "execution_environment"),
        *(
            "image",
            "engine",
            "control",
            "hop",
            "worker",
            "a",
            "b",
            "<<",
            "yes",
            "null",
            "~",
            "",
            "1",
            "é",
            "x y",
        ),
        *(
            "/bin/x",
            "&a",
            "*a",
            "!t",
            "0x1",
            "99999999999999999999",
            "[",
            "{",
            "'",
            '"',
            "|",
            "#",
            ": ",
            "\t",
            "\0",
        ),
    ]
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=30,
)


@given(text=st.text() | st.lists(WORDS, max_size=30).map(" ".join))
def test_any_text_gives_findings(text: str) -> None:
    """Whatever the text, reading ends with a description or with findings, never with an exception."""
    reading = read_mesh(text)

    assert reading.findings or reading.description


@given(data=st.dictionaries(WORDS, PLAIN, max_size=6) | PLAIN)
def test_any_yaml_gives_findings(data: object) -> None:
    """Whatever the structure, likewise; each finding has a line of the text."""
    import yaml

    text = yaml.safe_dump(data, allow_unicode=True)
    reading = read_mesh(text)

    assert reading.findings or reading.description
    assert all(1 <= found.line <= len(text.splitlines()) + 1 for found in reading.findings)
