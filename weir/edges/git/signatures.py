"""Whether a key of a Secret made a signature: PGP (`*.asc`) through Sequoia, SSH (`*.sshpub`) through ssh-keygen.

Whatever goes wrong while verifying counts as a failed verification.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from weir.edges import process
from weir.edges.git.objects import Signed
from weir.spec.errors import VerificationError

if TYPE_CHECKING:
    from pysequoia import Cert

_MOST_KEYS: Final = 200
_LEAST_RSA_BITS: Final = 2048
_LONGEST: Final = 64 * 1024
_SSH_TYPES: Final = re.compile(r"(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+", re.ASCII)
_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}", re.ASCII)
_PRINCIPAL: Final = "trusted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The public keys that are trusted."""

    pgp: tuple[bytes, ...] = ()
    """Armoured keyrings."""
    ssh: tuple[str, ...] = ()
    """`type base64` of each key."""


def read_keys(data: Mapping[str, bytes]) -> Keys:
    """The keys of a verification Secret.

    Raises:
        VerificationError: it holds none, or one that cannot be read or is too weak; names the key's file.
    """
    pgp = tuple(value for name, value in sorted(data.items()) if name.endswith(".asc"))
    ssh = [
        key
        for name, value in sorted(data.items())
        if name.endswith(".sshpub")
        for key in _read_ssh(name, value)
    ]
    if not pgp and not ssh:
        expected = "at least one *.asc (PGP) or *.sshpub (SSH) key"
        raise VerificationError(
            f"verify.secretRef: found no key, expected {expected}", hint="put a public key into the Secret"
        )
    if len(pgp) + len(ssh) > _MOST_KEYS:
        raise VerificationError(
            f"verify.secretRef: found over {_MOST_KEYS} keys", hint="keep the ones in use"
        )
    return Keys(pgp=pgp, ssh=tuple(ssh))


def _read_ssh(name: str, value: bytes) -> list[str]:
    found = []
    for line in value.decode("utf-8", "replace").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        kind, _, rest = line.strip().partition(" ")
        body = rest.strip().split(" ")[0]
        if not _SSH_TYPES.fullmatch(kind) or _rsa_bits(kind, body) < _LEAST_RSA_BITS:
            expected = f"lines `type base64 comment`, RSA with at least {_LEAST_RSA_BITS} bits"
            raise VerificationError(
                f"verify.secretRef: key {name} is not {expected}", hint="correct the Secret"
            )
        found.append(f"{kind} {body}")
    return found


def _rsa_bits(kind: str, body: str) -> int:
    """Bits of an RSA key; enough for any other kind; 0 when it cannot be read."""
    try:
        raw = base64.b64decode(body, validate=True)
    except binascii.Error:
        return 0
    fields = []
    while raw:
        size = int.from_bytes(raw[:4], "big")
        fields.append(raw[4 : 4 + size])
        raw = raw[4 + size :]
    if not fields or fields[0] != kind.encode():
        return 0
    if kind != "ssh-rsa":
        return _LEAST_RSA_BITS
    return int.from_bytes(fields[2], "big").bit_length() if len(fields) == 3 else 0  # noqa: PLR2004 - type, e, n


def verify(signed: Signed, keys: Keys, subject: str, scratch: Path, now: datetime | None = None) -> str:
    """The fingerprint of the trusted key that signed. `scratch` is a private folder for ssh-keygen's files.

    Raises:
        VerificationError: unsigned, signed by another key, by an expired or revoked one, or altered since.
    """
    if not signed.signature:
        raise VerificationError(f"{subject} is not signed", hint="sign it, or remove spec.verify")
    if len(signed.signature) > _LONGEST:
        raise VerificationError(f"{subject}: found a signature over {_LONGEST} bytes", hint="sign it again")
    if b"BEGIN SSH SIGNATURE" in signed.signature:
        found = _verify_ssh(signed, keys.ssh, scratch) if keys.ssh else ""
    elif b"BEGIN PGP SIGNATURE" in signed.signature:
        found = _verify_pgp(signed, keys.pgp, subject, now or datetime.now(UTC)) if keys.pgp else ""
    else:
        raise VerificationError(
            f"{subject}: found another kind of signature, expected PGP or SSH", hint="sign it again"
        )
    if not found:
        hint = (
            "have it signed with a trusted key, or put the signer's public key into the Secret of spec.verify"
        )
        raise VerificationError(
            f"{subject}: its signature was made by none of the trusted keys, or does not fit", hint=hint
        )
    return found


def _verify_pgp(signed: Signed, keyrings: tuple[bytes, ...], subject: str, now: datetime) -> str:
    from pysequoia import Cert, Sig
    from pysequoia import verify as check

    certs: list[Cert] = []
    for keyring in keyrings:
        try:
            certs.extend(Cert.split_bytes(keyring))
        except Exception as err:  # the library raises plain exceptions
            raise VerificationError(
                "verify.secretRef: a *.asc key cannot be read", hint="correct the Secret"
            ) from err
    try:
        signature = Sig.from_bytes(signed.signature)
        valid = check(bytes=signed.payload, store=lambda _: certs, signature=signature).valid_sigs
    except Exception:  # noqa: BLE001 - see the module: whatever goes wrong is a failed verification
        return ""
    signers = {str(item.certificate).lower() for item in valid}
    for cert in certs:
        if str(cert.fingerprint).lower() in signers:
            _check_alive(cert, subject, now)
            return str(cert.fingerprint).upper()
    return ""


def _check_alive(cert: Cert, subject: str, now: datetime) -> None:
    """Refuse a key that is expired or revoked by now: a trusted key has to be kept current."""
    expiration = cert.expiration
    if cert.is_revoked or (expiration is not None and expiration <= now):
        state = "revoked" if cert.is_revoked else f"expired since {expiration:%Y-%m-%d}"
        text = f"{subject}: the key {str(cert.fingerprint).upper()} that signed it is {state}"
        raise VerificationError(text, hint="renew the key in the Secret of spec.verify")


def _verify_ssh(signed: Signed, keys: tuple[str, ...], scratch: Path) -> str:
    allowed, signature = scratch / "allowed_signers", scratch / "signature"
    lines = (f'{_PRINCIPAL} namespaces="git" {key}\n' for key in keys)
    allowed.write_text("".join(lines))
    signature.write_bytes(signed.signature)
    arguments = ("-f", str(allowed), "-I", _PRINCIPAL, "-n", "git", "-s", str(signature))
    environment = {"PATH": process.search_path(), "HOME": str(scratch), "LC_ALL": "C"}
    try:
        done = process.run(
            ["ssh-keygen", "-Y", "verify", *arguments], env=environment, timeout=20, stdin=signed.payload
        )
    except process.ProgramMissingError as err:
        raise VerificationError("ssh-keygen is not installed", hint="install OpenSSH") from err
    except process.ProcessError:
        return ""
    match = _FINGERPRINT.search(done.stdout.decode("utf-8", "replace"))
    return match[0] if done.returncode == 0 and match else ""
