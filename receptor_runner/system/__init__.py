"""The edges of the operating system, each once: pipes, processes, files."""
