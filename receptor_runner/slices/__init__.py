"""One job over many nodes: its hosts are cut into slices, and each slice runs as a job of its own."""
