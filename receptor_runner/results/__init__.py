"""What comes back of a job: its messages become artifacts, handler calls and a verdict."""
