"""Which node takes a job, and what it can do."""
