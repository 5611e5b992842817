"""The command lines of ansible-playbook and ansible: what they name on this machine, and how they read on a node."""
