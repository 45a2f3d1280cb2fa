"""Sign commits with the key of an automation's `signingKey`: PGP through Sequoia, SSH as ssh-keygen does. In memory.

Rules: https://fluxcd.io/flux/components/image/imageupdateautomations/#signing-key and, for SSH,
https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from weir.edges.git.credentials import unlocked
from weir.edges.git.writing import Signer
from weir.spec.errors import SourceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization import SSHPrivateKeyTypes
    from pysequoia import PySigner

PGP_KEY: Final = "git.asc"
PGP_PASSPHRASE: Final = "passphrase"  # noqa: S105 - the name of a key
SSH_KEY: Final = "identity"
SSH_PASSWORD: Final = "password"  # noqa: S105 - the name of a key
_NAMESPACE: Final = b"git"
_COLUMNS: Final = 70


def read_signer(kind: Literal["gpg", "ssh"], data: Mapping[str, bytes]) -> Signer:
    """The signer of a key in a Secret: `gpg` (`git.asc`, `passphrase`) or `ssh` (`identity`, `password`).

    Raises:
        SourceError: there is no such key, or it cannot sign; names keys of the Secret, never values.
    """
    name = SSH_KEY if kind == "ssh" else PGP_KEY
    if not data.get(name, b"").strip():
        raise SourceError(
            f"signingKey: found no {name} in the Secret", hint=f"put the private key under {name}"
        )
    if kind == "ssh":
        return partial(_sign_ssh, _read_ssh(data))
    return partial(_sign_pgp, _read_pgp(data))


def _read_pgp(data: Mapping[str, bytes]) -> PySigner:
    from pysequoia import Tsk

    passphrase = data.get(PGP_PASSPHRASE, b"").decode("utf-8", "replace").removesuffix("\n")
    try:
        key = Tsk.from_bytes(data[PGP_KEY])
    except Exception as err:  # the library raises plain exceptions
        text = f"signingKey: {PGP_KEY} is not an armoured private key"
        raise SourceError(text, hint="export it with gpg --export-secret-keys --armor") from err
    for password in (passphrase, None) if passphrase else (None,):
        try:
            signer = key.signer(password)
            _sign_pgp(signer, b"")
        except Exception:  # noqa: BLE001, S112 - as above; a passphrase is not an error of a key that needs none
            continue
        return signer
    text = f"signingKey: {PGP_KEY} cannot sign with this {PGP_PASSPHRASE}"
    raise SourceError(text, hint="correct the passphrase, and see that the key may sign and is not expired")


def _sign_pgp(signer: PySigner, payload: bytes) -> bytes:
    from pysequoia import SignatureMode, sign

    signature: bytes = sign(signer, payload, mode=SignatureMode.DETACHED)
    return signature


def _read_ssh(data: Mapping[str, bytes]) -> SSHPrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    identity = data[SSH_KEY].replace(b"\r\n", b"\n").strip() + b"\n"
    try:
        return load_ssh_private_key(unlocked(identity, data.get(SSH_PASSWORD, b"")), None)
    except (ValueError, UnsupportedAlgorithm) as err:
        text = f"signingKey: {SSH_KEY} is no private key that can sign"
        raise SourceError(text, hint="make one with ssh-keygen -t ed25519") from err


def _sign_ssh(key: SSHPrivateKeyTypes, payload: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split(b" ")
    what = _text(_NAMESPACE) + _text(b"") + _text(b"sha512")
    algorithm, signature = _raw_signature(key, b"SSHSIG" + what + _text(hashlib.sha512(payload).digest()))
    proof = _text(_text(algorithm or public[0]) + _text(signature))
    body = b"SSHSIG" + (1).to_bytes(4, "big") + _text(base64.b64decode(public[1])) + what + proof
    text = base64.b64encode(body)
    lines = [text[start : start + _COLUMNS] for start in range(0, len(text), _COLUMNS)]
    return b"\n".join((b"-----BEGIN SSH SIGNATURE-----", *lines, b"-----END SSH SIGNATURE-----", b""))


def _raw_signature(key: SSHPrivateKeyTypes, message: bytes) -> tuple[bytes, bytes]:
    """The name of the algorithm, empty for the key's own, and the signature as SSH writes it."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return b"", key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        return b"rsa-sha2-512", key.sign(message, padding.PKCS1v15(), hashes.SHA512())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        chosen = {256: hashes.SHA256(), 384: hashes.SHA384()}.get(key.curve.key_size, hashes.SHA512())
        numbers = decode_dss_signature(key.sign(message, ec.ECDSA(chosen)))
        return b"", b"".join(_text(_number(number)) for number in numbers)
    raise SourceError(f"signingKey: {SSH_KEY} is a DSA key", hint="make one with ssh-keygen -t ed25519")


def _text(value: bytes) -> bytes:
    """A string on SSH's wire. Rule: RFC 4251, section 5."""
    return len(value).to_bytes(4, "big") + value


def _number(value: int) -> bytes:
    """The bytes of a positive number, the first bit zero. Rule: RFC 4251, section 5 (mpint)."""
    return value.to_bytes(value.bit_length() // 8 + 1, "big")
