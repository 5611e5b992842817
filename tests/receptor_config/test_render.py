"""Templates: what they offer, what they refuse, what they write."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from receptor_runner.errors import ConfigError, UsageError
from receptor_runner.receptor_config import template_settings
from receptor_runner.receptor_config.findings import Severity
from receptor_runner.receptor_config.linter import check_text
from receptor_runner.receptor_config.parse import parse
from receptor_runner.receptor_config.render import list_templates, render
from receptor_runner.system.interpreter import program_words

WORKER_PARAMS = shlex.join([*program_words()[1:], "worker"])
"""The parameters of a worker that was not installed with a script of its own, as in a source tree."""

Form = Literal["v1", "v2"]

LEAST: dict[str, dict[str, str]] = {
    "local": {},
    "control": {},
    "worker": {"peers": "hub.example.org:27199"},
    "hop": {},
}
FULL = {
    "tls": "true",
    "peers": "a.example.org:27199,b.example.org:27199",
    "allowed_peers": "n1,007",
    "max_idle": "60s",
}


def blocks(text: str) -> dict[str, dict[str, object]]:
    """Return the blocks of a v1 text by name; the last of a kind counts."""
    return {name: body or {} for item in yaml.safe_load(text) for name, body in item.items()}


def blocks_of(document: list[dict[str, Any]], keyword: str) -> list[Any]:
    """Return the blocks of a keyword, in order."""
    return [item[keyword] for item in document if keyword in item]


def test_every_template_is_offered_with_a_purpose() -> None:
    """The four templates are listed, each with a purpose and settings that have a help line."""
    templates = {template.name: template for template in list_templates()}

    assert list(templates) == ["local", "control", "worker", "hop"]
    assert all(template.purpose and all(o.help for o in template.settings) for template in templates.values())


@pytest.mark.parametrize("form", ["v1", "v2"])
@pytest.mark.parametrize("name", LEAST)
def test_least_settings_give_a_clean_config(name: str, form: Form, tmp_path: Path) -> None:
    """With the fewest settings the linter reports nothing, paths of other machines aside."""
    text = render(name, LEAST[name], form=form, base_dir=Path("/srv/node"))

    assert [f for f in check_text(text, on_this_machine=False) if f.severity is not Severity.NOTE] == []


@pytest.mark.parametrize("form", ["v1", "v2"])
@pytest.mark.parametrize("name", ["control", "worker", "hop"])
def test_full_settings_give_a_clean_config(name: str, form: Form) -> None:
    """Links, TLS and names that look like numbers are written so that nothing is read otherwise."""
    text = render(name, {**FULL, "listen": "127.0.0.1:27199"}, form=form)

    assert [f for f in check_text(text, on_this_machine=False) if f.severity is not Severity.NOTE] == []


@pytest.mark.parametrize("name", LEAST)
def test_both_forms_say_the_same(name: str) -> None:
    """The v2 map holds the blocks of the v1 list, in the daemon's own reading."""
    one, two = (parse(render(name, LEAST[name], form=form)) for form in ("v1", "v2"))

    def facts(document_blocks: object) -> list[tuple[str, dict[str, object]]]:
        return sorted(
            (block.kind.name, {entry.name: repr(getattr(entry.value, "text", "")) for entry in block.entries})
            for block in document_blocks  # type: ignore[attr-defined]
            if block.kind.name != "local-only"
        )

    assert (one.version, two.version) == (1, 2)
    assert facts(one.blocks) == facts(two.blocks)


def test_local_defaults(tmp_path: Path) -> None:
    """`local` is a node named primary whose paths are absolute and whose worker is this installation's."""
    held = blocks(render("local", {}, base_dir=tmp_path))

    assert list(held) == ["node", "log-level", "local-only", "work-command", "control-service"]
    assert held["node"] == {"id": "primary", "datadir": str(tmp_path / "receptor")}
    assert held["control-service"] == {
        "service": "control",
        "filename": str(tmp_path / "control.sock"),
        "permissions": "0600",
    }
    assert held["work-command"] == {
        "worktype": "receptor-runner",
        "command": sys.executable,
        "params": WORKER_PARAMS,
        "allowruntimeparams": True,
    }


@pytest.mark.parametrize("name", LEAST)
def test_work_types_come_before_the_control_service(name: str) -> None:
    """Nobody can ask the daemon for a unit while it does not know the unit's type yet: it can lock itself up then."""
    settings = LEAST[name] | {"work.cat": "/bin/cat", "work.sh": "/bin/sh"}
    order = [next(iter(item)) for item in yaml.safe_load(render(name, settings))]
    last_work_type = max(place for place, keyword in enumerate(order) if keyword == "work-command")

    assert last_work_type < order.index("control-service")
    assert not {"tcp-listener", "tcp-peer"} & set(order[:last_work_type])


@pytest.mark.parametrize(("given", "written"), [("660", "0660"), ("0660", "0660"), ("0o640", "0640")])
def test_permissions_are_quoted_octal(given: str, written: str) -> None:
    """However a mode is given, a quoted octal string is written."""
    assert f'permissions: "{written}"' in render("local", {"permissions": given})


def test_relative_paths_start_from_the_base(tmp_path: Path) -> None:
    """Sockets and data directories are made absolute."""
    held = blocks(render("local", {"socket": "./run/c.sock", "datadir": "units"}, base_dir=tmp_path))

    assert held["control-service"]["filename"] == str(tmp_path / "run" / "c.sock")
    assert held["node"]["datadir"] == str(tmp_path / "units")


def test_worker_parameters() -> None:
    """A keepalive joins the worker's parameters."""
    held = blocks(render("local", {"keepalive_seconds": "30", "allow_runtime_params": "no"}))

    assert held["work-command"]["params"] == f"{WORKER_PARAMS} --keepalive-seconds 30"
    assert held["work-command"]["allowruntimeparams"] is False


def test_further_work_commands() -> None:
    """`work.TYPE` adds work-commands; a bare command is looked up, for the daemon's PATH is another."""
    text = render("local", {"work.ansible-runner": "cat worker --flag 'a b'", "work.x": "/opt/x"})
    further = blocks_of(yaml.safe_load(text), "work-command")[1:]

    assert [(work["worktype"], work["params"]) for work in further] == [
        ("ansible-runner", "worker --flag 'a b'"),
        ("x", ""),
    ]
    assert Path(further[0]["command"]).is_absolute()


def test_control_keeps_others_out() -> None:
    """The control node refuses every other node its control service, unless told otherwise."""
    rules = blocks(render("control", {"id": "hub"}))["node"]["firewallrules"]

    assert rules == [{"action": "reject", "tonode": "hub", "toservice": "control"}]
    assert "firewallrules" not in render("control", {"firewall": "false"})


def test_worker_accepts_named_nodes_only() -> None:
    """With accept_from the worker lets in those nodes before it refuses the rest."""
    settings = {**LEAST["worker"], "accept_from": "hub, hub2"}
    rules = blocks(render("worker", settings))["node"]["firewallrules"]

    assert isinstance(rules, list)
    assert [(rule["action"], rule.get("fromnode")) for rule in rules] == [
        ("accept", "hub"),
        ("accept", "hub2"),
        ("reject", None),
    ]


def test_signed_work() -> None:
    """Signing has an expiration, verifying has the flag on every work-command."""
    signing = blocks(render("control", {"signing_key": "/k/sign.pem"}))["work-signing"]
    worker = render("worker", {**LEAST["worker"], "verify_key": "/k/verify.pem", "work.cat": "/bin/cat"})
    commands = [item["work-command"] for item in yaml.safe_load(worker) if "work-command" in item]

    assert signing == {"privatekey": "/k/sign.pem", "tokenexpiration": "10m"}
    assert blocks(worker)["work-verification"] == {"publickey": "/k/verify.pem"}
    assert [command["verifysignature"] for command in commands] == [True, True]


def test_tls_is_mutual_on_links_and_control_service() -> None:
    """TLS covers the listener, the peers and the control service, and asks clients for a certificate."""
    held = blocks(render("hop", {**FULL, "id": "h1"}))

    assert held["tls-server"]["requireclientcert"] is True
    assert held["tls-server"]["cert"] == "/etc/receptor/tls/h1.crt"
    assert held["control-service"]["tls"] == held["tcp-listener"]["tls"] == held["tls-server"]["name"]
    assert held["tcp-peer"]["tls"] == held["tls-client"]["name"]


@pytest.mark.parametrize(
    "text", ["yes", "1e3", "0660", "a: b", "#x", 'say "so"', "x{{y}}", "ü", "null", "a'b", "*a"]
)
@pytest.mark.parametrize("form", ["v1", "v2"])
def test_odd_text_stays_text(text: str, form: Form) -> None:
    """Whatever is set comes back from YAML as the same text."""
    params = shlex.quote(text)
    held = yaml.safe_load(render("local", {"command": "/x", "params": params, "worktype": text}, form=form))
    work = held["work-commands"][0] if form == "v2" else blocks_of(held, "work-command")[0]

    assert (work["params"], work["worktype"]) == (params, text)


@pytest.mark.parametrize(
    ("name", "settings", "error", "words"),
    [
        ("locl", {}, UsageError, "did you mean local?"),
        ("mesh", {}, UsageError, "the templates are local"),
        ("local", {"sockt": "/x"}, UsageError, "did you mean socket?"),
        ("local", {"zzzz": "/x"}, UsageError, "the settings are id"),
        ("local", {"tls": "yes"}, UsageError, "the settings are id"),
        ("local", {"permissions": "rw"}, UsageError, "three octal digits"),
        ("local", {"permissions": "688"}, UsageError, "three octal digits"),
        ("local", {"allow_runtime_params": "maybe"}, UsageError, "true or false"),
        ("local", {"keepalive_seconds": "soon"}, UsageError, "whole number"),
        ("local", {"log_level": "loud"}, UsageError, "expected error, warning"),
        ("local", {"work.": "/bin/cat"}, UsageError, "work.TYPE"),
        ("local", {"work.cat": " "}, UsageError, "work.TYPE"),
        ("control", {"max_idle": "60"}, UsageError, "a duration"),
        ("control", {"peers": "a:1,b"}, UsageError, "host:port"),
        ("worker", {}, UsageError, "--set peers=HOST:27199"),
        ("local", {"id": "localhost"}, ConfigError, "reserved"),
        ("local", {"socket": "/" + "x" * 120}, ConfigError, "107"),
        ("local", {"permissions": "0060"}, ConfigError, "owner"),
        ("control", {"max_idle": "5s"}, ConfigError, "21s"),
        ("control", {"listen": "0.0.0.0:70000"}, ConfigError, "70000"),
        ("local", {"worktype": "cat", "work.cat": "/bin/cat"}, ConfigError, "already used"),
        ("local", {"worktype": "remote"}, ConfigError, "the daemon's own"),
        ("worker", {"peers": "a:1", "work.remote": "/bin/cat"}, ConfigError, "the daemon's own"),
        ("local", {"worktype": ""}, ConfigError, "does nothing without"),
        ("local", {"command": ""}, ConfigError, "does nothing without"),
        ("local", {"params": "worker 'x"}, ConfigError, "open quote"),
        ("local", {"work.cat": "/bin/cat a\\"}, ConfigError, "open quote"),
        ("control", {"peers": "a:70000"}, ConfigError, "70000"),
        ("local", {"socket": "/etc"}, ConfigError, "deletes it and everything in it"),
        ("local", {"socket": "/etc/passwd"}, ConfigError, "is not a socket"),
    ],
)
def test_settings_that_do_not_fit(
    name: str, settings: dict[str, str], error: type[Exception], words: str
) -> None:
    """What cannot become a usable config is refused with the way on."""
    with pytest.raises(error) as caught:
        render(name, settings)

    assert isinstance(caught.value, UsageError | ConfigError)
    assert words in "\n".join(caught.value.lines())


def test_nothing_of_this_machine_is_in_a_file_for_another() -> None:
    """A file for another machine holds its paths only: programs given by name are left to its daemon's PATH."""
    text = render("worker", {**LEAST["worker"], "work.cat": "cat -n"})
    commands = blocks_of(yaml.safe_load(text), "work-command")

    assert [work["command"] for work in commands] == ["receptor-runner", "cat"]
    assert [work["params"] for work in commands] == ["worker", "-n"]
    for path in (Path.cwd(), Path.home(), sys.prefix):
        assert str(path) not in text


def test_a_file_for_this_machine_on_demand(tmp_path: Path) -> None:
    """A mesh node's file for this machine has its programs looked up and its relative paths made absolute here."""
    settings = {**LEAST["worker"], "socket": "c.sock", "work.cat": "cat"}
    text = render("worker", settings, on_this_machine=True, base_dir=tmp_path)
    worker, cat = blocks_of(yaml.safe_load(text), "work-command")

    assert (worker["command"], worker["params"]) == (sys.executable, WORKER_PARAMS)
    assert cat["command"] == shutil.which("cat")
    assert blocks(text)["control-service"]["filename"] == str(tmp_path / "c.sock")


@pytest.mark.parametrize(
    "settings", [{"datadir": "units"}, {"socket": "~/c.sock"}, {"command": "bin/rr"}, {"work.x": "./x"}]
)
def test_relative_paths_on_another_machine_are_refused(settings: dict[str, str]) -> None:
    """A relative path means nothing on another machine, and the error says how to render for this one."""
    with pytest.raises(UsageError, match="is not an absolute path") as caught:
        render("worker", {**LEAST["worker"], **settings})

    assert "--here" in str(caught.value.hint)


@pytest.mark.parametrize("scheme", ["posix_user", "posix_prefix"])
def test_the_script_that_was_installed_with_the_package_runs_the_worker(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the package is installed, the script beside it is taken, not the one of another version."""
    paths = {"scripts": str(tmp_path / "bin"), "purelib": str(Path(template_settings.__file__).parents[2])}
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "receptor-runner").touch()
    monkeypatch.setattr(
        "sysconfig.get_path", lambda name, given: paths[name] if given == scheme else "/nowhere"
    )

    command = blocks(render("local", {}, base_dir=tmp_path))["work-command"]["command"]
    assert command == str(tmp_path / "bin" / "receptor-runner")


@pytest.mark.parametrize("name", ["control", "worker", "hop"])
def test_paths_of_other_machines_are_not_looked_at(name: str) -> None:
    """A mesh node's socket is another machine's, so what stands in its place here does not matter."""
    assert "/etc" in render(name, {**LEAST[name], "socket": "/etc"})


def test_rendering_is_imported_lightly() -> None:
    """Neither jinja2 nor cryptography is imported before it is needed."""
    program = (
        "import sys, receptor_runner.receptor_config.render\n"
        "sys.exit(bool({'jinja2', 'cryptography'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
