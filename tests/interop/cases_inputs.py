"""Jobs that differ in what they are given: playbook, inventory, variables, passwords, settings, switches."""

from __future__ import annotations

from tests.harness import LOCALHOST
from tests.interop.cases import SECRET, Case, play
from tests.interop.compare import Order

ONE_PLAY = {"hosts": "h1", "gather_facts": False, "tasks": [{"name": "é", "debug": {"msg": "from data"}}]}
SCRIPT = """#!/bin/sh
echo '{"all": {"hosts": ["scripted"]}, "_meta": {"hostvars": {"scripted": {"greeting": "scripted",
"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}}}}'
"""
PROMPTS = {"Gimme open": "o", "Gimme closed": "cc", "(Gimme|confirm Gimme) twice": "ttt", "Gimme preset": ""}
SLEEP = {"binary": "bash", "cmdline": "-c 'echo before; sleep 60'"}

LOUD = """
from ansible.plugins.callback.default import CallbackModule as Default

DOCUMENTATION = '''
    name: loud
    type: stdout
    short_description: shows results loudly
    extends_documentation_fragment: [default_callback]
'''


class CallbackModule(Default):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "loud"

    def v2_runner_on_ok(self, result):
        self._display.display("LOUD")
        super().v2_runner_on_ok(result)
"""
LOUD_PATH = "[defaults]\ncallback_plugins = ./callback_plugins\n"

PLAYBOOKS = {
    "playbook": play("plays"),
    "playbook-from-the-peer": Case(options={"playbook": "plays.yml"}, transmit="peer"),
    "playbook-as-dict": Case(options={"playbook": ONE_PLAY}, shows="from data"),
    "playbook-as-list": Case(options={"playbook": [ONE_PLAY, ONE_PLAY]}, shows="from data"),
    "playbook-as-dict-on-the-wire": Case(options={"playbook": ONE_PLAY}, transmit="raw", shows="from data"),
    "playbook-missing": play("absent", rc=1),
    "playbook-of-nobody": play("nobody"),
    "playbook-empty": play("empty"),
    "playbook-broken": play("broken", rc=4),
    "playbook-is-none": play("not_a_play", rc=4),
    "project-dir": Case(
        options={"playbook": "there.yml", "project_dir": "elsewhere"},
        peer_options={"project_dir": "{pdd}/elsewhere"},
        files={
            "elsewhere/there.yml": "- hosts: h1\n  gather_facts: false\n  tasks: [{debug: {msg: there}}]\n"
        },
    ),
}

MODULES = {
    "module": Case(
        options={"module": "command", "module_args": "echo 'a b' é", "host_pattern": "all", "forks": 1},
        shows="a b é",
    ),
    "module-without-arguments": Case(options={"module": "ping", "host_pattern": "h1"}),
    "module-fails": Case(
        options={"module": "fail", "module_args": "msg=lost", "host_pattern": "some", "limit": "h2"}, rc=2
    ),
    "module-of-nobody": Case(options={"module": "ping", "host_pattern": "nosuch"}),
    "module-verbose": Case(
        options={"module": "debug", "module_args": "msg=x", "host_pattern": "h1", "verbosity": 1}
    ),
    "role": Case(
        options={"role": "hello", "role_vars": {"whom": "you"}, "hosts": "h1", "role_skip_facts": True},
        shows="hello you kindly",
    ),
    "role-from-the-peer": Case(
        options={"role": "hello", "hosts": "h1", "role_skip_facts": True},
        transmit="peer",
        shows="hello nobody",
    ),
    "role-on-the-wire": Case(
        options={"role": "hello", "role_vars": {"whom": "you"}, "hosts": "h1", "role_skip_facts": True},
        transmit="raw",
        shows="hello you kindly",
    ),
    "binary": Case(
        options={"binary": "bash", "cmdline": "-c 'echo ready; printf unfinished; exit 3'"},
        rc=3,
        shows="unfinished",
    ),
    "binary-missing": Case(options={"binary": "nosuchbinary"}, rc=127),
    "args": Case(options={}, transmit="raw", files={"args": "ansible-playbook -i inventory/hosts plays.yml"}),
}

INVENTORIES = {
    "inventory-file": Case(
        options={"playbook": "hosts.yml", "inventory": "other"},
        files={"inventory/other": LOCALHOST.replace("localhost", "other greeting=file")},
        shows="file from other",
    ),
    "inventory-below": Case(
        options={"playbook": "hosts.yml", "inventory": "elsewhere/hosts"},
        files={"elsewhere/hosts": LOCALHOST.replace("localhost", "below")},
        shows="from below",
    ),
    "inventory-as-text": Case(
        options={"playbook": "hosts.yml", "inventory": LOCALHOST.replace("localhost", "text greeting=text")},
        shows="text from text",
    ),
    "inventory-as-dict": Case(
        options={
            "playbook": "hosts.yml",
            "inventory": {
                "all": {
                    "hosts": {"dict": {"greeting": "dict"}},
                    "vars": {
                        "ansible_connection": "local",
                        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                    },
                }
            },
        },
        shows="dict from dict",
    ),
    "inventory-script": Case(
        options={"playbook": "hosts.yml", "inventory": "script"},
        files={"inventory/script": SCRIPT},
        shows="scripted from scripted",
    ),
    "inventories": Case(
        options={"playbook": "hosts.yml", "inventory": ["inventory/hosts", "inventory/other"], "forks": 1},
        files={"inventory/other": LOCALHOST.replace("localhost", "another")},
        peer_options={"inventory": None, "cmdline": "-i {pdd}/inventory/hosts -i {pdd}/inventory/other"},
        shows="from another",
    ),
    "inventory-with-variables": Case(
        options={"playbook": "hosts.yml", "forks": 1},
        files={
            "inventory/group_vars/some.yml": "greeting: of a group\n",
            "inventory/host_vars/h2.yml": "greeting: of a host\n",
        },
        shows="of a host from h2",
    ),
    "inventory-bad": Case(
        options={"playbook": "hosts.yml", "inventory": "bad.yml"},
        files={"inventory/bad.yml": "all: {hosts: [this is a list]}\n"},
    ),
    "inventory-empty": Case(
        options={"playbook": "hosts.yml", "inventory": "none"}, files={"inventory/none": "\n"}
    ),
    "limit": Case(options={"playbook": "hosts.yml", "limit": "more,h1", "forks": 1}, shows="from h3"),
    "limit-to-nobody": play("hosts", rc=1, limit="nosuch"),
}

VARIABLES = {
    "extravars": play(
        "show_extra", extravars={"fruit": "é", "many": [1, {"a": "'q\" "}], "drink": "{{ fruit }}"}
    ),
    "extravars-file": Case(
        options={"playbook": "show_extra.yml"},
        files={"env/extravars": "fruit: from the file\ndrink: [a]\n"},
        shows="from the file",
    ),
    "extravars-beside-a-file": Case(
        options={"playbook": "show_extra.yml", "extravars": {"fruit": "from the job"}},
        files={"env/extravars": '{"fruit": "from the file", "drink": "both"}'},
        shows="from the job both",
    ),
    "extravars-without-files": play(
        "show_extra", extravars={"fruit": "plain", "many": [True, None]}, suppress_env_files=True
    ),
    "extravars-as-text": Case(
        options={"playbook": "show_extra.yml", "extravars": "vars.yml"},
        files={"vars.yml": "fruit: named\n"},
        peer_options={"extravars": None, "cmdline": "-e @{pdd}/vars.yml"},
        shows="named",
    ),
    "envvars": play("show_env", envvars={"PLAIN": "a b", "ÜMLAUT": "é", "NUMBER": 7}),
    "envvars-file": Case(
        options={"playbook": "show_env.yml", "envvars": {"PLAIN": "from the job", "NUMBER": "8"}},
        files={"env/envvars": "PLAIN: from the file\n"},
        shows="from the file",
    ),
    "envvars-without-files": play("show_env", envvars={"PLAIN": "a b"}, suppress_env_files=True),
    "cmdline": play("show_extra", cmdline="-e fruit=line --extra-vars \"drink='x y'\" --diff"),
    "cmdline-file": Case(
        options={"playbook": "show_extra.yml"},
        files={"env/cmdline": "-e fruit=line --limit h1"},
        shows="line",
    ),
    "check-mode": play("check", cmdline="--check --diff"),
    "list-tasks": play("tags", cmdline="--list-tasks --list-tags"),
    "syntax-check": play("plays", cmdline="--syntax-check"),
    "tags": play("tags", tags="one"),
    "skip-tags": play("tags", skip_tags="one"),
    "start-at-task": play("failures", cmdline="--start-at-task 'only one fails'", limit="h2", rc=2),
}

PASSWORDS = {
    "prompts": play("prompts", passwords=PROMPTS, settings={"idle_timeout": 20}),
    "prompts-anchored": Case(
        options={
            "playbook": "prompts.yml",
            "passwords": {f"^{key}": value for key, value in PROMPTS.items()},
        },
        peer_options={"passwords": PROMPTS},
    ),
    "prompts-without-files": play("prompts", passwords=PROMPTS, suppress_env_files=True),
    "pauses": play("pauses", passwords={"Really now": "yes", "Silently now": "hush"}),
    "password-of-become": Case(
        options={
            "playbook": "plays.yml",
            "cmdline": "--ask-become-pass",
            "passwords": {"BECOME password": SECRET},
        },
        secrets=(SECRET,),
    ),
}

SETTINGS = {
    "job-timeout": Case(options=SLEEP | {"settings": {"job_timeout": 2}}, rc=254, status="timeout"),
    "timeout": Case(options=SLEEP | {"timeout": 2}, rc=254, status="timeout"),
    "idle-timeout": Case(
        options=SLEEP,
        files={"env/settings": "idle_timeout: 2\npexpect_timeout: 1\n"},
        rc=254,
        status="timeout",
    ),
    "no-output-file": play("plays", settings={"suppress_output_file": True}),
    "json-mode": play("plays", json_mode=True),
    "quiet": Case(options={"playbook": "plays.yml", "quiet": True, "ident": 42}),
    "omit-event-data": play("failures", rc=2, limit="h2", omit_event_data=True),
    "only-failed-event-data": play("failures", rc=2, limit="h2", only_failed_event_data=True),
    "fact-cache": play("facts", fact_cache="my_facts"),
    "fact-cache-memory": play("facts", fact_cache_type="memory"),
    "fact-cache-carried": Case(
        options={"playbook": "carried.yml", "ident": "job"},
        files={
            "project/carried.yml": "- hosts: h1\n  gather_facts: false\n  tasks: [{debug: {var: carried}}]\n",
            "artifacts/job/fact_cache/s1_h1": '{"__payload__": "{\\"carried\\": \\"over\\"}"}',
        },
        shows="over",
    ),
    "artifact-dir": Case(
        options={"playbook": "plays.yml", "artifact_dir": "kept", "forks": 1},
        peer_options={"artifact_dir": "{pdd}/kept"},
    ),
    "job-numbers": play("plays", envvars={"JOB_ID": "17", "PROJECT_UPDATE_ID": "18"}),
    "config-file": Case(
        options={"playbook": "plays.yml", "forks": 1},  # the first result shows the banner of its task
        files={
            "project/ansible.cfg": "[defaults]\nnocows = true\ndisplay_skipped_hosts = false\nforce_color = false\n"
        },
    ),
    "without-colour": play("failures", rc=2, envvars={"ANSIBLE_NOCOLOR": "1"}),
    "arguments-shown": play(
        "arguments", envvars={"ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "True"}, extravars={"secret": "x"}
    ),
    "stdout-minimal": play("failures", rc=2, envvars={"ANSIBLE_STDOUT_CALLBACK": "minimal"}),
    "stdout-of-the-project": Case(
        options={"playbook": "failures.yml", "envvars": {"ANSIBLE_STDOUT_CALLBACK": "loud"}, "forks": 1},
        files={"project/callback_plugins/loud.py": LOUD, "project/ansible.cfg": LOUD_PATH},
        rc=2,
        shows="LOUD",
    ),
    "verbose-1": play("failures", rc=2, verbosity=1),
    "verbose-2": play("roles", verbosity=2),
    "verbose-3": Case(
        options={"playbook": "failures.yml", "verbosity": 3, "forks": 1}, rc=2, order=Order.WITHOUT_VERBOSE
    ),
    "verbose-4": Case(
        options={"playbook": "loops.yml", "verbosity": 4, "forks": 1}, order=Order.WITHOUT_VERBOSE
    ),
    "verbose-prompts": Case(
        options={"playbook": "prompts.yml", "verbosity": 4, "passwords": PROMPTS}, order=Order.WITHOUT_VERBOSE
    ),
}

INPUTS = PLAYBOOKS | MODULES | INVENTORIES | VARIABLES | PASSWORDS | SETTINGS
