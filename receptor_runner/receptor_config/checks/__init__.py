"""What the linter checks, one subject a module; each check yields findings and raises nothing."""
