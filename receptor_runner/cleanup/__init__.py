"""What is removed from a worker's machine, and what never is."""
