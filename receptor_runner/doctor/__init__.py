"""Checks a node, or a whole mesh, step by step, and says what to do about what is wrong."""
