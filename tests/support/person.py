"""A person with a clone of a repository, who commits and pushes while others do the same, and never forces."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.git_repo import Repo

NAME = "A Person"
ATTEMPTS = 50


class Person:
    """Works on branch main in a clone of their own."""

    def __init__(self, repo: Repo, folder: Path) -> None:
        self.folder = folder
        self.pushed: list[str] = []
        """Every commit of theirs that the server took."""
        subprocess.run(["git", "clone", "--quiet", str(repo.path), str(folder)], check=True, timeout=60)
        self._git("config", "user.name", NAME)
        self._git("config", "user.email", "person@example.com")

    def commit(self, path: str, text: str, message: str) -> str:
        """Write a file, commit it, and push it on top of whatever is there by then; the hash that arrived."""
        (self.folder / path).write_text(text)
        self._git("add", "--", path)
        self._git("commit", "--quiet", "-m", message)
        for _ in range(ATTEMPTS):
            self._git("pull", "--quiet", "--rebase")
            if self._run("push", "--quiet").returncode == 0:
                self.pushed.append(self._git("rev-parse", "HEAD"))
                return self.pushed[-1]
        raise AssertionError(f"{message}: the push was refused {ATTEMPTS} times")

    def _git(self, *arguments: str) -> str:
        done = self._run(*arguments)
        assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
