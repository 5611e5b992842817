"""Rendering a mesh: the files of every node, whose keys and certificates stay as long as they are good."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from receptor_runner.errors import ConfigError, OutputFailed
from receptor_runner.mesh.bundle import Rendered, render_bundle
from receptor_runner.mesh.certificates import Validity
from receptor_runner.mesh.description import MeshDescription, MeshNode, Role
from receptor_runner.mesh.reading import read_mesh
from receptor_runner.receptor_config.certificates import read_certificate
from receptor_runner.receptor_config.linter import check_files

FIVE = """\
name: five
nodes:
  control: {role: control, address: control.example.com}
  hop1: {role: hop, address: 192.0.2.7, port: 27200, peers: [control]}
  hop2: {role: hop, address: "2001:db8::1", peers: [hop1]}
  w1: {role: worker, address: w1.example.com, peers: [hop1], work_types: {uptime: /usr/bin/uptime}}
  w2: {role: worker, address: w2.example.com, peers: [hop2], execution_environment: {image: ee}}
"""


def described(text: str = FIVE) -> MeshDescription:
    """Return the mesh of a text that has no errors."""
    reading = read_mesh(text)
    assert reading.description
    assert not reading.errors
    return reading.description


def with_node(description: MeshDescription, changed: MeshNode) -> MeshDescription:
    """Return a mesh in which one node is another."""
    nodes = tuple(changed if node.name == changed.name else node for node in description.nodes)
    return replace(description, nodes=nodes)


def snapshot(directory: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return content, mode and time of every file."""
    return {
        str(path.relative_to(directory)): (path.read_bytes(), status.st_mode, status.st_mtime_ns)
        for path in directory.rglob("*")
        if path.is_file() and (status := path.stat())
    }


def changed(before: dict[str, tuple[bytes, int, int]], directory: Path) -> set[str]:
    """Return the files that are not as they were."""
    after = snapshot(directory)
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@pytest.fixture(scope="module")
def rendered_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five nodes, rendered once: keys take their time."""
    directory = tmp_path_factory.mktemp("rendered") / "out"
    render_bundle(described(), directory)
    return directory


@pytest.fixture
def out(rendered_once: Path, tmp_path: Path) -> Path:
    """A directory of its own with the five nodes rendered."""
    return Path(shutil.copytree(rendered_once, tmp_path / "out"))


def later(days: int, **validity: int) -> Validity:
    """Return the validity of a run some days from now."""
    return Validity(now=datetime.now(UTC) + timedelta(days=days), **validity)


def not_after(out: Path, node: str) -> datetime:
    """Return when a node's certificate ends."""
    return read_certificate(out / node / "files/node.crt").not_after


def test_each_node_gets_what_it_needs(out: Path) -> None:
    """Control nodes get the signing key, workers the one that verifies; the authority's key goes nowhere."""
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    common = {"receptor.yml", "ca.crt", "node.crt", "node.key"}

    assert {name.removeprefix("control/files/") for name in files if name.startswith("control/files/")} == {
        *common,
        "signing.pem",
    }
    assert {name.removeprefix("w1/files/") for name in files if name.startswith("w1/files/")} == {
        *common,
        "verify.pem",
    }
    assert {name.removeprefix("hop1/files/") for name in files if name.startswith("hop1/files/")} == common
    assert [name for name in files if name.endswith("ca.key")] == ["ca/ca.key"]
    assert {"inventory.yml", "w1/systemd/receptor.service", "w1/systemd/60-receptor.conf"} <= files


def test_secrets_are_their_owners_alone(out: Path) -> None:
    """Every private key is 0600 and every directory 0700, whatever the umask."""
    for path in out.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        else:
            assert mode == (0o600 if b"PRIVATE KEY" in path.read_bytes() else 0o644), path


def test_configs_have_the_paths_of_their_hosts(out: Path) -> None:
    """Nothing of this machine is in them, and all of them together pass the linter without a finding."""
    configs = sorted(out.glob("*/files/receptor.yml"))

    assert check_files(configs, on_this_machine=False) == []
    assert len(configs) == 5
    text = (out / "w2/files/receptor.yml").read_text()
    assert "command: /opt/receptor-runner/bin/receptor-runner" in text
    assert "--container-image ee --process-isolation-executable podman" in text
    assert str(Path.home()) not in text


def test_links_are_as_described(out: Path) -> None:
    """Each end knows the other: addresses to connect to, ports to listen on, and who may connect."""
    blocks = {
        path.parent.parent.name: yaml.safe_load(path.read_text()) for path in out.glob("*/files/receptor.yml")
    }
    listener = next(block["tcp-listener"] for block in blocks["hop1"] if "tcp-listener" in block)
    peer = next(block["tcp-peer"] for block in blocks["w2"] if "tcp-peer" in block)
    rules = next(block["node"] for block in blocks["w2"] if "node" in block)["firewallrules"]

    assert (listener["port"], listener["allowedpeers"]) == (27200, ["control", "hop2", "w1"])
    assert (peer["address"], peer["allowedpeers"]) == ("[2001:db8::1]:27199", ["hop2"])
    assert rules[0] == {"action": "accept", "fromnode": "control", "tonode": "w2", "toservice": "control"}
    assert not [block for block in blocks["w2"] if "tcp-listener" in block]


def test_certificates_carry_node_id_and_address(out: Path) -> None:
    """A certificate is good for its node and its address, and for no other host."""
    names = {}
    for node in ("control", "hop2"):
        certificate = x509.load_pem_x509_certificate((out / node / "files/node.crt").read_bytes())
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names[node] = (held.get_values_for_type(x509.DNSName), held.get_values_for_type(x509.IPAddress))
        assert read_certificate(out / node / "files/node.crt").node_ids == (node,)

    assert names["control"] == (["control.example.com"], [])
    assert [str(ip) for ip in names["hop2"][1]] == ["2001:db8::1"]


def test_second_run_changes_nothing(out: Path) -> None:
    """What is good keeps its bytes and its time."""
    before = snapshot(out)

    again = render_bundle(described(), out)
    assert (again.written, again.removed, dict(again.reasons)) == ((), (), {})
    assert changed(before, out) == set()


def test_changed_address_reissues_that_certificate_only(out: Path) -> None:
    """Other nodes' keys stay; those that connect to the node get its new address."""
    before = snapshot(out)
    description = described()

    moved = with_node(description, replace(description.node("hop1"), address="192.0.2.8"))
    rendered = render_bundle(moved, out)
    assert dict(rendered.reasons) == {"hop1": "the address is now 192.0.2.8"}
    assert changed(before, out) == {
        "hop1/files/node.crt",
        "hop1/files/node.key",
        "hop2/files/receptor.yml",
        "w1/files/receptor.yml",
        "inventory.yml",
    }


def test_new_node_leaves_the_others_alone(out: Path) -> None:
    """A node that joins gets its files; only its peer's list of nodes that may connect changes."""
    before = snapshot(out)

    render_bundle(described(FIVE + "  w3: {role: worker, peers: [hop2]}\n"), out)
    touched = {name for name in changed(before, out) if not name.startswith("w3/")}
    assert touched == {"hop2/files/receptor.yml", "inventory.yml"}


def test_node_that_left_is_named(out: Path) -> None:
    """Its directory stays until somebody removes it, and every run says so."""
    rendered = render_bundle(described(FIVE.replace("  w2:", "  w9:")), out)

    assert rendered.leftovers == ("w2",)
    assert (out / "w2/files/node.key").exists()


def test_role_that_changed_takes_its_secrets_along(out: Path) -> None:
    """A former control node no longer has the key that signs work."""
    text = (
        FIVE.replace("control: {role: control,", "control: {role: hop,")
        + "  c2: {role: control, peers: [control]}\n"
    )

    rendered = render_bundle(described(text), out)
    assert rendered.removed == ("control/files/signing.pem",)
    assert not (out / "control/files/signing.pem").exists()


def test_without_tls_and_signing(tmp_path: Path) -> None:
    """A mesh that wants neither gets no key at all."""
    render_bundle(described("tls: false\nsigned: false\n" + FIVE), tmp_path / "out")

    assert not [path for path in tmp_path.rglob("*") if path.suffix in {".pem", ".key", ".crt"}]


@pytest.mark.parametrize(("renew_days", "expected"), [(None, set()), (29, set()), (31, {"w1"})])
def test_renewal_takes_what_ends_soon(out: Path, renew_days: int | None, expected: set[str]) -> None:
    """Only what ends within the days is renewed, with another key, and nothing without --renew."""
    (out / "w1/files/node.crt").unlink()
    render_bundle(described(), out, validity=Validity(days=30))
    key = (out / "w1/files/node.key").read_bytes()

    rendered = render_bundle(described(), out, validity=Validity(renew_days=renew_days))
    assert set(rendered.reasons) == expected
    assert ((out / "w1/files/node.key").read_bytes() != key) == bool(expected)


def test_what_has_ended_is_renewed_unasked(out: Path) -> None:
    """A certificate that has ended is of no use to anybody."""
    rendered = render_bundle(described(), out, validity=later(days=400))

    assert set(rendered.reasons) == {"control", "hop1", "hop2", "w1", "w2"}


def chain_holds(out: Path, verifier: str, verified: str) -> bool:
    """Return whether openssl, with the authorities that one node trusts, accepts another's certificate."""
    trusted, certificate = out / verifier / "files/ca.crt", out / verified / "files/node.crt"
    words = [
        "openssl",
        "verify",
        "-no_check_time",
        "-partial_chain",
        "-trusted",
        str(trusted),
        str(certificate),
    ]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def test_new_authority_is_trusted_beside_the_old_one(out: Path, tmp_path: Path) -> None:
    """While the new files reach one node after the other, each node trusts each other's certificate."""
    old = tmp_path / "old"
    subprocess.run(["cp", "-a", out, old], check=True)
    rendered = render_bundle(described(), out, validity=later(days=3400, renew_days=30))
    assert rendered.reasons[""].startswith("ends on")
    assert "w1" in rendered.reasons

    trusted = x509.load_pem_x509_certificates((out / "w1/files/ca.crt").read_bytes())
    assert len(trusted) == 2
    for node in ("control", "w1"):
        assert chain_holds(out, node, "hop1")
        (old / "w2/files/node.crt").write_bytes((out / node / "files/node.crt").read_bytes())
        assert chain_holds(old, "hop1", "w2"), "a node without the new files refuses one that has them"

    following = render_bundle(described(), out, validity=later(days=3740, renew_days=30))
    assert "" not in following.reasons
    assert len(x509.load_pem_x509_certificates((out / "w1/files/ca.crt").read_bytes())) == 1
    assert chain_holds(out, "control", "hop1")


def test_certificates_do_not_outlive_their_authority(out: Path) -> None:
    """A certificate for longer than the authority lasts would be refused anyway."""
    render_bundle(described(), out, validity=later(days=3600))

    authority = read_certificate(out / "ca/ca.crt").not_after
    assert not_after(out, "w1") == authority


@pytest.mark.parametrize("name", ["ca/ca.key", "ca/ca.crt", "ca/signing.pem"])
def test_damaged_authority_is_never_replaced(out: Path, name: str) -> None:
    """Every node would need new keys: that is for a person to decide."""
    (out / name).write_text("torn")
    before = snapshot(out)

    with pytest.raises(ConfigError, match="cannot use the"):
        render_bundle(described(), out)
    assert changed(before, out) == set()


def test_lost_key_of_the_authority_is_an_error(out: Path) -> None:
    """A certificate without its key is not a reason to start another authority in silence."""
    (out / "ca/ca.key").unlink()

    with pytest.raises(ConfigError, match="certificate authority"):
        render_bundle(described(), out)


def test_torn_pair_is_made_anew(out: Path) -> None:
    """A certificate whose key is another one's, as after a copy that went wrong, is replaced together with it."""
    (out / "w1/files/node.key").write_bytes((out / "w2/files/node.key").read_bytes())

    rendered = render_bundle(described(), out)
    assert dict(rendered.reasons) == {"w1": "the key does not belong to the certificate"}


def test_exposed_key_gets_its_mode_back(out: Path) -> None:
    """A file with the right content and the wrong mode is written again."""
    (out / "w1/files/node.key").chmod(0o644)

    assert render_bundle(described(), out).written == ("w1/files/node.key",)
    assert stat.S_IMODE((out / "w1/files/node.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("obstacle", ["w2/files/receptor.yml", "w2/systemd"])
def test_failure_changes_nothing(out: Path, obstacle: str) -> None:
    """A file that cannot be written leaves all the others as they were, without drafts."""
    moved = described(FIVE.replace("control.example.com", "moved.example.com"))
    shutil.move(out / obstacle, out / "aside")
    if obstacle.endswith(".yml"):
        (out / obstacle).mkdir()
    else:
        (out / obstacle).touch()
    before = snapshot(out)

    with pytest.raises(OutputFailed, match="cannot write to"):
        render_bundle(moved, out)
    assert changed(before, out) == set()


def test_first_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """A directory that cannot be completed is not begun."""
    (tmp_path / "file").touch()

    with pytest.raises(OutputFailed, match="cannot write to"):
        render_bundle(described(), tmp_path / "file/out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_inventory_fits_the_mesh(out: Path) -> None:
    """Hosts are the nodes, groups their roles, and paths follow the directory wherever it is moved."""
    words = [
        str(Path(sys.executable).with_name("ansible-inventory")),
        "-i",
        str(out / "inventory.yml"),
        "--list",
        "--yaml",
    ]
    listed = subprocess.run(words, capture_output=True, text=True, check=True)
    held = yaml.safe_load(listed.stdout)["all"]["children"]

    assert listed.stderr == ""
    assert set(held) == {"receptor_control", "receptor_hop", "receptor_worker"}
    assert set(held["receptor_worker"]["hosts"]) == {"w1", "w2"}
    host = held["receptor_control"]["hosts"]["control"]
    assert host["ansible_host"] == "control.example.com"
    assert host["receptor_prefix"] == "/etc/receptor"


def test_roles_are_complete() -> None:
    """There is a template for each role."""
    from receptor_runner.receptor_config.templates import find_template

    assert [find_template(role.value).name for role in Role] == ["control", "hop", "worker"]


def test_nothing_that_is_rendered_is_shared_by_accident(out: Path) -> None:
    """Each node has a key of its own."""
    keys = {path.read_bytes() for path in out.glob("*/files/node.key")}

    assert len(keys) == 5
    assert isinstance(render_bundle(described(), out), Rendered)
