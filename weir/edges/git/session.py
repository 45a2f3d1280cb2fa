"""One conversation with one Git server: a private folder with our own configuration, and the only way git is run.

The folder holds the credentials of the call, in files of mode 0600 that only git and ssh read; they are in no argument,
no environment and no URL. It is removed when the conversation ends, and by the next one after a crash.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shlex
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from weir.edges import process
from weir.edges.folders import private_folder
from weir.edges.git import failures
from weir.edges.git.credentials import Credentials
from weir.edges.git.url import GitUrl
from weir.spec.errors import ArtifactError, SourceError

MAX_PACK: Final = 2 * 1024 * 1024 * 1024
"""Bytes of the largest file a fetch may write."""

_PROXY_VARIABLES: Final = (
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
)
_LEAST: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Runs git for one repository until its deadline."""

    url: GitUrl
    credentials: Credentials
    folder: Path
    environment: Mapping[str, str] = field(repr=False)
    deadline: float
    """On the monotonic clock."""
    timeout: float
    stop: threading.Event | None = None

    def remaining(self) -> float:
        """Seconds left. Raises SourceError when there are none."""
        left = self.deadline - time.monotonic()
        if left < _LEAST:
            raise SourceError(
                f"{self.url.text}: no answer within {self.timeout:g} s", hint=failures.TIMEOUT_HINT
            )
        return left

    def renewed(self) -> Session:
        """The same conversation with all of its time before it again."""
        return replace(self, deadline=time.monotonic() + self.timeout)

    def git(self, *arguments: str, stdin: bytes = b"", trace: Path | None = None) -> process.Completed:
        """Run git; a failure comes back as its code. Raises SourceError at the deadline, StopRequested on request."""
        try:
            return process.run(
                self.argv(arguments),
                env={**self.environment, **_tracing(trace)},
                timeout=self.remaining(),
                stdin=stdin,
                stop=self.stop,
                limits=process.Limits(file_size=MAX_PACK),
            )
        except process.ProcessTimeoutError as err:
            text = f"{self.url.text}: no answer within {self.timeout:g} s"
            raise SourceError(text, hint=failures.TIMEOUT_HINT) from err

    def checked(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """The output of git. Raises SourceError with the reason when it fails."""
        done = self.git(*arguments, stdin=stdin)
        if done.returncode:
            raise self.failure(done)
        return done.stdout

    def failure(self, done: process.Completed) -> SourceError:
        """What a failed run of git means, in words, without secrets."""
        return failures.explain(self.url, self.masked(done.stderr), done.returncode)

    def masked(self, text: str) -> str:
        """What git or the server said, without the secrets of the credentials and of the URL."""
        return self.credentials.masked(self.url.masked(text))

    def argv(self, arguments: Sequence[str]) -> list[str]:
        """The full command line."""
        return ["git", "--no-replace-objects", "-c", "core.hooksPath=/dev/null", *arguments]


def _tracing(trace: Path | None) -> dict[str, str]:
    """Headers into a file; git leaves out what is secret in them."""
    return {"GIT_TRACE_CURL": str(trace), "GIT_TRACE_CURL_NO_DATA": "1"} if trace else {}


@contextlib.contextmanager
def open_session(
    root: Path, url: GitUrl, credentials: Credentials, timeout: float, stop: threading.Event | None = None
) -> Iterator[Session]:
    """A session whose folder lives below `root`. Times are in seconds.

    Raises:
        ArtifactError: the folder cannot be written.
    """
    try:
        sweep(private_folder(root))
        folder = root / secrets.token_hex(8)
        lock = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(mode=0o700)
    except OSError as err:
        raise ArtifactError(
            f"cache: cannot write to {root}: {err.strerror}", hint="set WEIR_CACHE_DIR"
        ) from err
    try:
        environment = _write_configuration(folder, url, credentials, timeout)
        yield Session(
            url=url,
            credentials=credentials,
            folder=folder,
            environment=environment,
            deadline=time.monotonic() + timeout,
            timeout=timeout,
            stop=stop,
        )
    except OSError as err:
        raise ArtifactError(
            f"cache: cannot work in {root}: {err.strerror}", hint="set WEIR_CACHE_DIR"
        ) from err
    finally:
        _remove(folder)
        os.close(lock)


def sweep(root: Path) -> None:
    """Remove the folders of calls whose process is gone: their locks are free."""
    for path in root.glob("*.lock"):
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(path.with_suffix(""))
            finally:
                os.close(handle)


def _remove(folder: Path) -> None:
    """Remove a call's folder, then its lock: while there is a folder there is a lock."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.with_suffix(".lock").unlink()


def _write_configuration(
    folder: Path, url: GitUrl, credentials: Credentials, timeout: float
) -> dict[str, str]:
    """Write config, keys and certificates; return git's whole environment."""
    _write(folder / "config", _git_config(folder, url, credentials, timeout))
    environment = {
        "PATH": process.search_path(),
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(folder / "config"),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_OPTIONAL_LOCKS": "0",
    }
    if url.scheme == "ssh":
        _write(folder / "identity", credentials.identity)
        _write(folder / "known_hosts", credentials.known_hosts)
        _write(folder / "ssh_config", _ssh_config(folder, timeout))
        environment["GIT_SSH_COMMAND"] = f"ssh -F {shlex.quote(str(folder / 'ssh_config'))}"
        environment["GIT_SSH_VARIANT"] = "ssh"
    if url.http and not credentials.proxy:
        environment |= {name: os.environ[name] for name in _PROXY_VARIABLES if os.environ.get(name)}
    return environment


def _git_config(folder: Path, url: GitUrl, credentials: Credentials, timeout: float) -> bytes:
    lines = [
        "[protocol]\n\tallow = never\n\tversion = 2",
        *(
            f'[protocol "{scheme}"]\n\tallow = always'
            for scheme in {url.scheme, "https" if url.http else url.scheme}
        ),
        "[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n\tattributesFile = /dev/null\n\taskPass =",
        "[credential]\n\thelper =",
        "[transfer]\n\tfsckObjects = true",
        "[fetch]\n\trecurseSubmodules = false\n\twriteCommitGraph = false",
        "[gc]\n\tauto = 0\n\tautoDetach = false\n\tpruneExpire = now",
        "[maintenance]\n\tauto = false",
        "[init]\n\ttemplateDir =\n\tdefaultBranch = main",
        "[http]\n\tfollowRedirects = false\n\tsslVerify = true\n\tlowSpeedLimit = 1",
        f"\tlowSpeedTime = {max(1, int(timeout))}",
    ]
    for name, value, option in (
        ("ca.pem", credentials.ca, "sslCAInfo"),
        ("cert.pem", credentials.certificate, "sslCert"),
        ("key.pem", credentials.key, "sslKey"),
    ):
        if value and url.http:
            _write(folder / name, value)
            lines.append(f"\t{option} = {_quoted(str(folder / name))}")
    if credentials.proxy:
        lines.append(f"\tproxy = {_quoted(credentials.proxy)}")
    if credentials.authorization:
        lines.append(f"\textraHeader = {_quoted(f'Authorization: {credentials.authorization}')}")
    return "\n".join([*lines, ""]).encode()


def _ssh_config(folder: Path, timeout: float) -> bytes:
    """One host block: this key, these known hosts, nothing else and no questions."""
    identity, known_hosts = (str(folder / name).replace("%", "%%") for name in ("identity", "known_hosts"))
    rows = (
        ("BatchMode", "yes"),
        ("StrictHostKeyChecking", "yes"),
        ("UserKnownHostsFile", f'"{known_hosts}"'),
        ("GlobalKnownHostsFile", "/dev/null"),
        ("UpdateHostKeys", "no"),
        ("CheckHostIP", "no"),
        ("IdentityFile", f'"{identity}"'),
        ("IdentitiesOnly", "yes"),
        ("IdentityAgent", "none"),
        ("PreferredAuthentications", "publickey"),
        ("ForwardAgent", "no"),
        ("ForwardX11", "no"),
        ("ClearAllForwardings", "yes"),
        ("PermitLocalCommand", "no"),
        ("ProxyCommand", "none"),
        ("ControlMaster", "no"),
        ("ControlPath", "none"),
        ("RequestTTY", "no"),
        ("ConnectTimeout", str(max(1, int(timeout)))),
        ("ServerAliveInterval", "10"),
        ("LogLevel", "ERROR"),
    )
    return ("Host *\n" + "".join(f"  {name} {value}\n" for name, value in rows)).encode()


def _quoted(value: str) -> str:
    """A value in git's configuration syntax."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
