"""Jobs that differ in what happens: results, loops, failures, strategies, secrets, texts of every kind."""

from __future__ import annotations

from tests.interop.cases import SECRET, Case, play
from tests.interop.compare import Order

HIDDEN = {"secret": SECRET}
SHOWS_ARGUMENTS = {"ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "True"}

RESULTS = {
    "includes": play("includes", rc=2),
    "roles": play("roles"),
    "handlers": play("handlers", rc=2),
    "handlers-forced": play("handlers", rc=2, cmdline="--force-handlers"),
    "blocks": play("blocks", rc=2),
    "failures": play("failures", rc=2),
    "all-fail": play("all_fail", rc=2),
    "unreachable": play("unreachable", rc=4),
    "loops": play("loops"),
    "retries": play("retries", rc=2),
    "async": play("async", rc=2),
    "run-once": play("run_once"),
    "meta": play("meta"),
    "facts": play("facts"),
    "all-facts": play("all_facts"),
    "stats": play("stats"),
    "stats-shown": play("stats", envvars={"ANSIBLE_SHOW_CUSTOM_STATS": "True"}),
    "diff": play("diff", cmdline="--diff"),
    "diff-verbose": play("diff", rc=2, cmdline="--diff --check", verbosity=1),
    "warnings": play("warnings"),
    "undefined": play("undefined", rc=2),
    "undefined-hosts": play("undefined_hosts", rc=4),
    "unknown-module": play("unknown_module", rc=4),
    "yaml-output": play("failures", rc=2, envvars={"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"}),
    "task-path-shown": play("blocks", rc=2, envvars={"ANSIBLE_SHOW_TASK_PATH_ON_FAILURE": "True"}),
}

STRATEGIES = {
    "serial": play("serial"),
    "max-fail-percentage": play("max_fail", rc=2),
    "any-errors-fatal": play("any_errors_fatal", rc=2),
    "free": Case(options={"playbook": "free.yml"}, rc=2, order=Order.BY_HOST),
    "host-pinned": Case(options={"playbook": "host_pinned.yml"}, order=Order.BY_HOST),
    "forks": Case(options={"playbook": "forks.yml", "forks": 3}, rc=2, order=Order.BY_HOST),
}

SECRETS = {
    "no-log": Case(options={"playbook": "no_log.yml", "extravars": HIDDEN, "forks": 1}, secrets=(SECRET,)),
    "no-log-verbose": Case(
        options={
            "playbook": "no_log.yml",
            "extravars": HIDDEN,
            "verbosity": 2,
            "envvars": SHOWS_ARGUMENTS,
            "forks": 1,
        },
        secrets=(SECRET,),
    ),
    "no-log-of-items": Case(
        options={"playbook": "no_log_items.yml", "extravars": HIDDEN, "envvars": SHOWS_ARGUMENTS},
        rc=2,
        secrets=(SECRET,),
    ),
    "no-log-of-a-parameter": Case(
        options={"playbook": "no_log_parameter.yml", "extravars": HIDDEN, "verbosity": 1},
        rc=2,
        secrets=(SECRET,),
    ),
    "secret-environment": Case(
        options={"playbook": "plays.yml", "envvars": {"TOKEN": SECRET}}, secrets=(SECRET,)
    ),
}

TEXTS = {
    "unicode": play("unicode", rc=2),
    "unicode-verbose": play("unicode", rc=2, verbosity=1),
    "unicode-without-colour": play("unicode", rc=2, envvars={"NO_COLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}),
    "long-lines": play("long"),
    "long-lines-verbose": play("long", verbosity=1),
    "big-result": play("big", extravars={"size": 1_000_000}),
    "big-result-verbose": play("big", extravars={"size": 1_000_000}, verbosity=1),
}

EVENTS = RESULTS | STRATEGIES | SECRETS | TEXTS
