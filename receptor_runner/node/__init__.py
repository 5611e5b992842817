"""The embedded, local-only Receptor node: `settings.read_settings` and `serve.serve` are its two entrances."""
