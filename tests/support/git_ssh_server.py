"""A real SSH Git server on loopback, with its own host key: asyncssh in a thread, `git upload-pack` behind it."""

from __future__ import annotations

import asyncio
import shlex
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh

from tests.support.git_repo import Repo

_SERVICES = ("git-upload-pack", "git-receive-pack")


class GitSshServer:
    """Bare repositories under `root`, served to one user key. Use as a context manager."""

    def __init__(
        self,
        root: Path,
        *,
        passphrase: str | None = None,
        key_type: str = "ssh-ed25519",
        read_only: bool = False,
    ) -> None:
        self.root = root
        self.read_only = read_only
        """Whether pushes are refused, in the words of a host of deploy keys."""
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.user_key = asyncssh.generate_private_key(key_type)
        self.identity: bytes = self.user_key.export_private_key("openssh", passphrase)
        """The user's private key as the Secret's `identity` holds it."""
        self.port = 0
        self.commands: list[str] = []
        """What clients asked to run."""
        self.users: list[str] = []
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread
        self._server: Any = None

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"ssh://git@127.0.0.1:{self.port}"

    @property
    def known_hosts(self) -> bytes:
        """The line that trusts this server."""
        return f"[127.0.0.1]:{self.port} ".encode() + self.host_key.export_public_key()

    def repo(self, name: str) -> Repo:
        """The repository `<root>/<name>.git`, made when missing; its `url` is served here."""
        return Repo(self.root / f"{name}.git", f"{self.url}/{name}.git")

    def renew_host_key(self) -> None:
        """Come back at the same port with another host key, as an impostor would."""
        self.stop()
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.start()

    def start(self) -> Self:
        """Listen."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="git-ssh-server")
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(20)
        return self

    def stop(self) -> None:
        """Stop listening."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _listen(self) -> None:
        authorized = asyncssh.import_authorized_keys(self.user_key.export_public_key().decode())
        self._server = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_host_keys=[self.host_key],
            authorized_client_keys=authorized,
            process_factory=self._serve,
            encoding=None,
            allow_scp=False,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, process: Any) -> None:
        self.commands.append(process.command or "")
        self.users.append(process.get_extra_info("username"))
        words = shlex.split(process.command or "")
        if len(words) != 2 or words[0] not in _SERVICES:
            process.stderr.write(b"only git is served here\n")
            process.exit(128)
            return
        if self.read_only and words[0] == "git-receive-pack":
            process.stderr.write(
                b"ERROR: The key you are authenticating with has been marked as read only.\n"
            )
            process.exit(1)
            return
        environment = {"PATH": "/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"}
        environment["GIT_PROTOCOL"] = process.env.get("GIT_PROTOCOL", "")
        child = await asyncio.create_subprocess_exec(
            "git",
            words[0].removeprefix("git-"),
            str(self.root / words[1].lstrip("/")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
        process.exit(await child.wait())
        await process.wait_closed()
