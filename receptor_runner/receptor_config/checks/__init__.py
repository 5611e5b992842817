"""The rules of the linter."""
