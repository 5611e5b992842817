"""The plugin in runs that do not use it, and what it says about itself."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import receptor_runner
import receptor_runner.pytest_plugin as plugin
from _pytest.assertion.rewrite import AssertionRewriter
from tests.pytest_plugin.conftest import Suite

LOADED = """
import sys, pytest
code = pytest.main(["-q", "-p", "no:randomly", "-W", "error"])
ours = sorted(name for name in sys.modules if name.startswith("receptor_runner"))
print("loaded:", *ours, *({"yaml", "jinja2", "receptorctl", "tenacity", "click"} & set(sys.modules)))
sys.exit(code)
"""


def test_a_run_that_does_not_use_it_loads_next_to_nothing(suite: Suite) -> None:
    """Without its fixtures pytest imports the plugin's one module, and starts and prints nothing of it."""
    suite.pytester.makepyfile("def test_nothing(): pass")
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=suite.path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    (loaded,) = re.findall(r"^loaded: (.*)$", done.stdout, flags=re.MULTILINE)
    assert loaded.split() == [
        "receptor_runner",
        "receptor_runner._version",
        "receptor_runner.pytest_plugin",
        "receptor_runner.pytest_plugin.plugin",
    ]
    assert (done.stderr, suite.left_over()) == ("", [])


@pytest.mark.slow
def test_fixtures_and_options_explain_themselves(suite: Suite) -> None:
    """`pytest --fixtures`, `--markers` and `--help` say what there is, the fixtures with an example."""
    run = suite.pytester.runpytest_subprocess
    fixtures = run("--fixtures").stdout.str()
    for words in (
        "receptor_node [session scope]",
        "run_playbook [session scope]",
        "def test_site(run_playbook):",
    ):
        assert words in fixtures
    assert "@pytest.mark.receptor_node(kind, ...)" in run("--markers").stdout.str()
    help_page = run("--help").stdout.str()
    for option in ("--receptor-node", "--receptor-artifacts", "receptor_project"):
        assert option in help_page


@pytest.mark.slow
def test_a_setting_that_makes_no_sense_is_refused(suite: Suite) -> None:
    """A kind of node that does not exist is named, with those that do."""
    suite.pytester.makeini("[pytest]\nreceptor_node = real\n")
    done = suite.run("def test_site(receptor_node): pass")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*receptor_node = real: expected embedded, daemon, auto"])


def test_names_for_annotations_are_there() -> None:
    """Each public name can be imported; another one is an attribute error."""
    for name in plugin.__all__:
        assert getattr(plugin, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = plugin.nope


def test_importing_the_package_before_pytest_warns_of_nothing() -> None:
    """Pytest rewrites the packages of plugins, and warns of those that are imported already unless they opt out.

    An editable installation, such as that of these tests, is not rewritten, so that only the mark can be checked.
    """
    assert AssertionRewriter.is_rewrite_disabled(str(receptor_runner.__doc__))
