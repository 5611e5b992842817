"""Figures about jobs and certificates for monitoring systems, from what is on disk."""
