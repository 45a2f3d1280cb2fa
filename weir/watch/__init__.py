"""The watcher: notices commits, drift and requests, and lets the flow act."""
