"""The control service of a node: connection, protocol, results, errors."""
