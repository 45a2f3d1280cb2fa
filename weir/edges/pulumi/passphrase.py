"""The passphrase of a stack: where it comes from, whether it is right, and how the engine gets it.

Pulumi proves a passphrase by the salt `v1:<salt>:v1:<nonce>:<sealed word>`: AES-256-GCM under PBKDF2-SHA256 with a
million rounds (sdk/go/common/resource/config/crypt.go). The same is computed here, so that a wrong passphrase stops a
run before a state file is touched.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from weir.edges.pulumi.project import EngineError, StackSettings

TEXT: Final = "PULUMI_CONFIG_PASSPHRASE"
FILE: Final = "PULUMI_CONFIG_PASSPHRASE_FILE"
_ROUNDS: Final = 1_000_000
_PROOF: Final = b"pulumi"
_HINT: Final = f"set {TEXT} or {FILE}"


@dataclass(frozen=True, slots=True)
class Passphrase:
    """A passphrase, or none; never printed."""

    text: str | None = field(repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Passphrase:
        """As Pulumi reads it: the text first, then the file without surrounding blanks. Raises EngineError."""
        if TEXT in environ:
            return cls(environ[TEXT])
        if not environ.get(FILE):
            return cls(None)
        try:
            return cls(Path(environ[FILE]).read_text().strip())
        except (OSError, UnicodeDecodeError) as err:
            raise EngineError(f"{FILE}: {environ[FILE]} cannot be read", hint="check the path") from err

    def check_given(self, stack: str, settings: StackSettings) -> None:
        """Refuse a run without the passphrase that its stack needs. Raises EngineError."""
        if not settings.uses_passphrase:
            return
        if self.text is None:
            raise EngineError(
                f"stack {stack}: found no passphrase, expected the one that its secrets have", hint=_HINT
            )
        if settings.require_passphrase and not self.text.strip():
            where = f"{settings.file.name} sets weir:options.requirePassphrase"
            raise EngineError(f"stack {stack}: found an empty passphrase, but {where}", hint=_HINT)

    def check_opens(self, stack: str, salt: str) -> None:
        """Refuse a passphrase that does not belong to a salt; about 0.3 s. Raises EngineError."""
        if salt and self.text is not None and not opens(self.text, salt):
            raise EngineError(
                f"stack {stack}: the passphrase is not the one that sealed its secrets; nothing was changed",
                hint=_HINT,
            )


def opens(text: str, salt: str) -> bool:
    """Whether a passphrase belongs to a salt; a salt of an unknown form is never opened."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    parts = salt.split(":")
    if len(parts) != 5 or (parts[0], parts[2]) != ("v1", "v1"):  # noqa: PLR2004 - the form above
        return False
    try:
        seed, nonce, sealed = (base64.b64decode(parts[index], validate=True) for index in (1, 3, 4))
        key = hashlib.pbkdf2_hmac("sha256", text.encode(), seed, _ROUNDS, 32)
        return AESGCM(key).decrypt(nonce, sealed, None) == _PROOF
    except (InvalidTag, binascii.Error, ValueError):
        return False


@contextmanager
def handed_over(environ: Mapping[str, str]) -> Iterator[tuple[dict[str, str], tuple[int, ...], str]]:
    """The environment without the passphrase's text, file handles to pass on, and a file to remove ("" for none).

    A child's environment can be read in /proc for as long as it lives, so the engine gets a file instead: in memory
    on Linux, else 0600 in a folder of its own. Pulumi strips blanks from files; a passphrase with such stays as it is.
    """
    changed = dict(environ)
    text = changed.get(TEXT, "")
    if not text or text != text.strip():
        yield changed, (), ""
        return
    del changed[TEXT]
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("passphrase")
        try:
            os.write(handle, text.encode())
            yield changed | {FILE: f"/proc/self/fd/{handle}"}, (handle,), ""
        finally:
            os.close(handle)
        return
    with tempfile.TemporaryDirectory(prefix="weir-") as folder:
        file = Path(folder, "passphrase")
        file.touch(mode=0o600)
        file.write_text(text)
        yield changed | {FILE: str(file)}, (), folder
