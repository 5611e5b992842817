"""The program's own configuration: files with settings and profiles, below the command line and the environment."""
