"""What a person sees of a job while it runs: a model without IO, and two ways to show it."""
