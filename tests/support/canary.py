"""Secrets that nobody else has, and the search for them in every form and every place they must not be (S60).

canaries = Canaries()
plant(canaries["git-password"])
canaries.expect_none({"output": outcome.out, "state": state_text})
"""

from __future__ import annotations

import base64
import os
import secrets
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from tests.support.processes import Spied, members

NAMES: Final = (
    "git-password", "git-wrong-password", "git-identity", "url-password", "passphrase", "kubeconfig-token",
    "kubeconfig-key", "substituted", "live-only", "last-applied", "secret-data", "secret-string-data", "secret-changed",
    "secret-invalid", "secret-immutable", "secret-immutable-new", "secret-echoed", "secret-mistyped", "secret-pruned",
    "secret-plain-field",
)  # fmt: skip
"""One for each way a secret comes in."""


class Canaries:
    """Twenty random secrets by name. Each has characters that URLs and JSON must escape."""

    def __init__(self) -> None:
        self._cores = {name: secrets.token_hex(12) for name in NAMES}

    def __getitem__(self, name: str) -> str:
        """The secret itself: a random core between characters that have to be quoted somewhere."""
        return f"p&{self._cores[name]}/s+ %"

    def plain(self, name: str) -> str:
        """The random core alone, where only letters and digits are allowed."""
        return self._cores[name]

    def forms(self, name: str) -> tuple[bytes, ...]:
        """What betrays a secret: its core, its core in base64 at each offset, in hexadecimal, reversed, and quoted."""
        core = self._cores[name].encode()
        encoded = []
        for offset in range(3):
            text = base64.b64encode(b"\0" * offset + core)
            # Characters that mix in a neighbour's bits are cut off on both sides.
            encoded.append(text[(offset * 8 + 5) // 6 : (offset + len(core)) * 8 // 6])
        whole = self[name]
        quoted = (quote(whole, safe=""), base64.b64encode(whole.encode()).decode())
        halves = (core[:12], core[12:])
        return (core, *encoded, core.hex().encode(), core[::-1], *halves, *(part.encode() for part in quoted))

    def found(self, content: str | bytes, names: Iterable[str] = NAMES) -> tuple[str, ...]:
        """Names of the secrets that show in a text."""
        raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
        return tuple(name for name in names if any(form in raw for form in self.forms(name)))

    def expect_none(self, places: Mapping[str, str | bytes]) -> None:
        """Raise AssertionError naming place and secret, never its value, when one shows."""
        leaks = [f"{place}: {name}" for place, content in places.items() for name in self.found(content)]
        assert not leaks, f"secrets show in {leaks}"


def everything_under(folder: Path) -> list[Path]:
    """All files and folders in a folder; unlike `rglob`, it passes over what is removed meanwhile."""
    walked = os.walk(folder)
    return sorted(Path(place, name) for place, folders, names in walked for name in (*folders, *names))


def files_under(folder: Path, *, but: Iterable[Path] = ()) -> Iterator[tuple[str, bytes]]:
    """Every file of a folder with its bytes, and once more unpacked when it is deflated (Git objects, gzip).

    Args:
        folder: where to look; symbolic links are not followed.
        but: folders and files that are left out.
    """
    left_out = tuple(but)
    for path in everything_under(folder):
        if path.is_symlink() or not path.is_file() or any(path.is_relative_to(other) for other in left_out):
            continue
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            continue  # removed meanwhile
        yield str(path.relative_to(folder)), raw
        for bits in (15, 31):
            try:
                yield f"{path.relative_to(folder)} (unpacked)", zlib.decompress(raw, bits)
            except zlib.error:
                continue


class ProcessSpy:
    """Looks at arguments and environment of every process of a stack while it runs (S14).

    What the command itself got from the person who started it is no leak; what it hands on to children is.
    """

    def __init__(self, canaries: Canaries, folder: Path, *, every: float = 0.02) -> None:
        self._canaries = canaries
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="process-spy")
        self._folder = str(folder)
        self.seen: dict[tuple[int, bytes], Spied] = {}
        self.leaks: set[str] = set()

    def _watch(self) -> None:
        while not self._stop.wait(self._every):
            for process in members(self._folder):
                key = (process.pid, process.arguments)
                if key in self.seen:
                    continue
                self.seen[key] = process
                places = [("arguments", process.arguments)]
                if b"weir.cli" not in process.arguments:
                    places.append(("environment", process.environment))
                for place, content in places:
                    for name in self._canaries.found(content):
                        self.leaks.add(f"{place} of {process.arguments[:120]!r}: {name}")

    @property
    def programs(self) -> set[str]:
        """Names of the programs that were looked at."""
        return {process.name for process in self.seen.values()}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(10)
