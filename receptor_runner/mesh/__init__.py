"""A whole mesh from one description: mesh.yml, certificates, each node's files, a mesh on this machine, installing."""
