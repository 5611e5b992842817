"""The options of ansible-playbook and ansible, and what each of them means for a job that runs elsewhere.

Most options mean the same wherever Ansible runs and are passed on. The others name a file on this machine, or make
Ansible ask a question at the terminal, and nobody sits at the terminal of a node.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Meaning(Enum):
    """What the value of an option is."""

    FLAG = auto()
    """There is no value; the option is passed on."""
    COUNT = auto()
    """There is no value; the option may be repeated."""
    TEXT = auto()
    """A text that is passed on as it is."""
    INVENTORY = auto()
    """A file, a directory, or a list of hosts with a comma in it."""
    VARIABLES = auto()
    """Variables, or `@` and the name of a file that holds them."""
    DIRECTORIES = auto()
    """Directories with a colon between them."""
    DIRECTORY = auto()
    """One directory."""
    PRIVATE_KEY = auto()
    """A file with the private key for ssh."""
    QUESTION = auto()
    """There is no value; Ansible asks for a password."""
    PASSWORD_FILE = auto()
    """A file that holds a password, or a program that prints it."""
    VAULT_ID = auto()
    """`label@source`; the source is `prompt`, a file that holds the password, or a program that prints it."""
    TERMINAL = auto()
    """There is no value; Ansible needs somebody at its terminal, whom a node does not have."""
    LOCAL_OUTPUT = auto()
    """A directory into which Ansible writes; on a node it would be lost."""

    @property
    def takes_value(self) -> bool:
        """Whether a value follows the option."""
        return self not in {Meaning.FLAG, Meaning.COUNT, Meaning.QUESTION, Meaning.TERMINAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option.

    Attributes:
        names: its spellings, the one that is passed on first.
        meaning: what its value is.
        help: one line for the help page.
        metavar: the name of its value on the help page.
        is_repeatable: whether each occurrence counts, not only the last.
    """

    names: tuple[str, ...]
    meaning: Meaning
    help: str
    metavar: str | None = None
    is_repeatable: bool = False

    @property
    def name(self) -> str:
        """The spelling that is passed on."""
        return self.names[0]

    @property
    def key(self) -> str:
        """A Python identifier for the option: its first long name."""
        return next(name for name in self.names if name.startswith("--"))[2:].replace("-", "_")


def _flag(names: str, text: str) -> Option:
    return Option(names=tuple(names.split()), meaning=Meaning.FLAG, help=text)


def _text(names: str, metavar: str, text: str, *, is_repeatable: bool = False) -> Option:
    return Option(
        names=tuple(names.split()),
        meaning=Meaning.TEXT,
        help=text,
        metavar=metavar,
        is_repeatable=is_repeatable,
    )


def _of(names: str, meaning: Meaning, text: str, metavar: str | None = None, *, many: bool = False) -> Option:
    return Option(names=tuple(names.split()), meaning=meaning, help=text, metavar=metavar, is_repeatable=many)


_CONNECTION = (
    _of("--private-key --key-file", Meaning.PRIVATE_KEY, "Log in with this key.", "FILE"),
    _text("--user -u", "USER", "Log in as this user."),
    _text("--connection -c", "TYPE", "The connection type."),
    _text("--timeout -T", "SECONDS", "The connection timeout."),
    _text("--ssh-common-args", "ARGS", "Arguments for ssh, scp and sftp."),
    _text("--sftp-extra-args", "ARGS", "Arguments for sftp."),
    _text("--scp-extra-args", "ARGS", "Arguments for scp."),
    _text("--ssh-extra-args", "ARGS", "Arguments for ssh."),
    _of("--ask-pass -k", Meaning.QUESTION, "Ask for the connection password."),
    _of(
        "--connection-password-file --conn-pass-file",
        Meaning.PASSWORD_FILE,
        "Where the connection password is.",
        "FILE",
    ),
)

_BECOME = (
    _flag("--become -b", "Run with become."),
    _text("--become-method", "METHOD", "How to become."),
    _text("--become-user", "USER", "Become this user."),
    _of("--ask-become-pass -K", Meaning.QUESTION, "Ask for the become password."),
    _of(
        "--become-password-file --become-pass-file",
        Meaning.PASSWORD_FILE,
        "Where the become password is.",
        "FILE",
    ),
)

_COMMON = (
    _of(
        "--inventory -i --inventory-file",
        Meaning.INVENTORY,
        "Inventory, or hosts: 'a,b,'.",
        "WHAT",
        many=True,
    ),
    _text("--limit -l", "PATTERN", "Limit the hosts further."),
    _of("--extra-vars -e", Meaning.VARIABLES, "Variables: k=v, YAML, JSON or @FILE.", "VARS", many=True),
    _of("--vault-id", Meaning.VAULT_ID, "A vault identity.", "LABEL@SOURCE", many=True),
    _of("--ask-vault-password -J --ask-vault-pass", Meaning.QUESTION, "Ask for the vault password."),
    _of(
        "--vault-password-file --vault-pass-file",
        Meaning.PASSWORD_FILE,
        "Where the vault password is.",
        "FILE",
        many=True,
    ),
    _text("--forks -f", "N", "How many hosts at once."),
    _of("--module-path -M", Meaning.DIRECTORIES, "Where else modules are.", "DIRS", many=True),
    _flag("--check -C", "Change nothing, predict what would change."),
    _flag("--diff -D", "Show what changes in files."),
    _flag("--flush-cache", "Clear the fact cache."),
    _flag("--list-hosts", "List the hosts, do nothing else."),
    _of("--verbose -v", Meaning.COUNT, "More output; repeatable."),
)

PLAYBOOK_OPTIONS: tuple[Option, ...] = (
    *_COMMON,
    _text("--tags -t", "TAGS", "Run only what has these tags.", is_repeatable=True),
    _text("--skip-tags", "TAGS", "Leave out what has these tags.", is_repeatable=True),
    _text("--start-at-task", "NAME", "Start at this task."),
    _of("--step", Meaning.TERMINAL, "Confirm each task: needs a terminal, refused."),
    _flag("--syntax-check", "Check the syntax, do nothing else."),
    _flag("--list-tasks", "List the tasks, do nothing else."),
    _flag("--list-tags", "List the tags, do nothing else."),
    _flag("--force-handlers", "Run handlers even if a task fails."),
    *_CONNECTION,
    *_BECOME,
)
"""The options of ansible-playbook. Source: the parser of ansible-core 2.19, with which a test compares the table."""

ADHOC_OPTIONS: tuple[Option, ...] = (
    _text("--module-name -m", "MODULE", "The module; `command` by default."),
    _text("--args -a", "ARGS", "The module's arguments."),
    *_COMMON,
    _text("--poll -P", "SECONDS", "The poll interval with -B."),
    _text("--background -B", "SECONDS", "Run asynchronously for at most this long."),
    _flag("--one-line -o", "One line for each host."),
    _of("--tree -t", Meaning.LOCAL_OUTPUT, "Log to a directory: would stay on the node, refused.", "DIR"),
    _of("--playbook-dir", Meaning.DIRECTORY, "Where group_vars and roles are.", "DIR"),
    _text("--task-timeout", "SECONDS", "The task timeout."),
    *_CONNECTION,
    *_BECOME,
)
"""The options of ansible. Source: the parser of ansible-core 2.19, with which a test compares the table."""
