"""Signers for commits and tags: PGP through Sequoia, SSH through ssh-keygen, as git itself makes them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pysequoia


class PgpKey:
    """A fresh PGP key."""

    def __init__(self, name: str = "Signer <signer@weir.example>") -> None:
        self._key = pysequoia.Tsk.generate(name)
        self.certificate = self._key.extract_certificate()
        self.fingerprint = str(self.certificate.fingerprint).upper()

    @property
    def public(self) -> bytes:
        """The armoured public key."""
        return str(self.certificate).encode()

    def sign(self, payload: bytes) -> str:
        """A detached armoured signature."""
        mode = pysequoia.SignatureMode.DETACHED
        signature: bytes = pysequoia.sign(self._key.signer(), payload, mode=mode)
        return signature.decode()

    def expiring(self, seconds: int) -> bytes:
        """The public key, valid for so many seconds more."""
        until = datetime.now(UTC) + timedelta(seconds=seconds)
        return str(self.certificate.set_expiration(until, self._key.certifier())).encode()

    def revoked(self) -> bytes:
        """The public key with its revocation."""
        revocation = self.certificate.revoke(self._key.certifier())
        return str(pysequoia.Cert.from_bytes(bytes(self.certificate) + bytes(revocation))).encode()


class SshKey:
    """A fresh SSH key."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "key"
        kind = options or ("-t", "ed25519")
        command = ["ssh-keygen", "-q", *kind, "-N", "", "-C", "signer", "-f", str(self._path)]
        subprocess.run(command, check=True, timeout=60)

    @property
    def public(self) -> bytes:
        """The line of the public key."""
        return self._path.with_suffix(".pub").read_bytes()

    def signer(self, namespace: str = "git") -> Callable[[bytes], str]:
        """Signs for a namespace; git uses `git`."""

        def sign(payload: bytes) -> str:
            command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(self._path)]
            return subprocess.run(
                command, input=payload, capture_output=True, check=True, timeout=60
            ).stdout.decode()

        return sign
