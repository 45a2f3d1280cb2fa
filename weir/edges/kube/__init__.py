"""One Kubernetes API server: connect, discover, read, write, watch, and keep the records of units."""
