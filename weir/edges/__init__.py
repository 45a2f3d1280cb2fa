"""Everything that touches the world: Git, registries, the cluster, subprocesses, the file system."""
