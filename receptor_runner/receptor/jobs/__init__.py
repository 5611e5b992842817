"""The life of a job on a node: recorded, submitted, followed, canceled, pruned."""
