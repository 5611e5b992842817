"""Installing a mesh on its hosts: the shipped playbook and role, and the command that runs them."""
