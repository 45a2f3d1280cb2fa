"""The same world as the end-to-end tests have."""

from tests.e2e.conftest import git_server, world

__all__ = ["git_server", "world"]
