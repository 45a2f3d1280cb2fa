"""Who sends a webhook, by its ID token: the keys of the issuer, what the token proves, and what its claims must say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from weir.notify.hook_payload import Payload
from weir.notify.hooks import BAD, NOT_READY, Refused
from weir.notify.id_token import (
    GOOGLE,
    GOOGLE_ISSUERS,
    Identity,
    IdToken,
    Key,
    find_flaw,
    find_google_flaw,
    is_signed,
    read_token,
    usable_keys,
)
from weir.objects.cel import evaluate, result
from weir.objects.hook_targets import CLAIMS, VARS
from weir.spec.errors import SourceError, SpecError
from weir.spec.identity import UnitId
from weir.spec.oidc_provider import OidcProvider
from weir.spec.receiver import OIDC, TOKEN_TYPES, ReceiverSpec

EMAIL: Final = "email"
AUDIENCE: Final = "audience"
"""Keys of the Secret of a receiver of type gcr, beside its token."""
_NOT_PLAIN: Final = (ValueError, OverflowError, RecursionError)
"""Claims with numbers and depths that CEL's values cannot hold."""


class Keys(Protocol):
    """The keys of issuers."""

    def keep(self, issuers: frozenset[str]) -> None:
        """Forget every issuer but these."""
        ...

    def read(self, url: str, report: Callable[[str], None]) -> Iterable[Key]:
        """As they are known. Raises SourceError when there are none."""
        ...

    def renew(self, url: str, report: Callable[[str], None]) -> Iterable[Key]:
        """Asked for again, if that is allowed. Raises SourceError."""
        ...


@dataclass(frozen=True, slots=True)
class IdTokens:
    """Judges the ID tokens of senders. Thread-safe."""

    keys: Keys
    now: Callable[[], float]
    """Seconds since the epoch."""
    report: Callable[[UnitId, str], None]
    """Told which receiver's issuer cannot be asked, and why."""

    def serve(self, receivers: Iterable[ReceiverSpec]) -> None:
        """Know the issuers of these receivers from now on."""
        self.keys.keep(frozenset(url for spec in receivers for url in issuers(spec)))

    def identify(
        self, spec: ReceiverSpec, secret: Mapping[str, bytes], authorization: str
    ) -> Identity | Refused:
        """What the token in an Authorization header proves to a receiver of TOKEN_TYPES."""
        token = read_token(authorization)
        if isinstance(token, str):
            return Refused(BAD, token)
        return self._by_issuer(spec, token) if spec.type == OIDC else self._by_google(spec, secret, token)

    def _by_issuer(self, spec: ReceiverSpec, token: IdToken) -> Identity | Refused:
        provider = next((one for one in spec.providers if one.issuer == token.issuer), None)
        if provider is None:
            return Refused(BAD, "the ID token is of an issuer that spec.oidcProviders does not name")
        return self._verify(spec, token, provider.issuer, {provider.issuer}, provider.audience) or (
            _validate(provider, token) or token.identity
        )

    def _by_google(
        self, spec: ReceiverSpec, secret: Mapping[str, bytes], token: IdToken
    ) -> Identity | Refused:
        email, audience = (secret.get(name, b"").decode("utf-8", "replace") for name in (EMAIL, AUDIENCE))
        if not (email and audience):
            return Refused(NOT_READY, f"the Secret has no {AUDIENCE if email else EMAIL}")
        refused = self._verify(spec, token, GOOGLE, GOOGLE_ISSUERS, audience)
        if refused is None and (why := find_google_flaw(token.claims, email)):
            refused = Refused(BAD, why)
        return refused or token.identity

    def _verify(
        self, spec: ReceiverSpec, token: IdToken, issuer: str, names: Iterable[str], audience: str
    ) -> Refused | None:
        """Why a token proves nothing, None when its issuer signed it, for us and for now."""
        if why := find_flaw(token.claims, frozenset(names), audience, self.now()):
            return Refused(BAD, why)  # nobody is asked about a token that would not count anyway
        report = partial(self.report, spec.id)
        try:
            keys = usable_keys(token, self.keys.read(issuer, report))
            keys = keys or usable_keys(token, self.keys.renew(issuer, report))
        except SourceError:
            return Refused(NOT_READY, "the issuer's keys are not known")
        if not keys:
            return Refused(BAD, "the ID token is signed by a key that its issuer does not have")
        return None if is_signed(token, keys) else Refused(BAD, "the ID token's signature does not hold")


def issuers(spec: ReceiverSpec) -> frozenset[str]:
    """Whose keys a receiver needs."""
    if spec.type not in TOKEN_TYPES:
        return frozenset()
    return frozenset(one.issuer for one in spec.providers) or frozenset({GOOGLE})


def _validate(provider: OidcProvider, token: IdToken) -> Refused | None:
    """Why the claims are not those of a sender that may ask; None when everything is true of them."""
    try:
        failed = _failed(provider, token.claims)
    except SpecError as err:
        return Refused(BAD, err.message)
    except _NOT_PLAIN:
        return Refused(BAD, "the ID token's claims hold numbers or depths that CEL has not")
    return Refused(BAD, f"spec.oidcProviders refuses the ID token: {'; '.join(failed)}") if failed else None


def _failed(provider: OidcProvider, claims: Payload) -> list[str]:
    """The messages of what is not true."""
    known: dict[str, Any] = {}
    values = {CLAIMS: dict(claims), VARS: known}
    for variable in provider.variables:
        known[variable.name] = result(variable.expression, values)
    return [item.message for item in provider.validations if not evaluate(item.expression, values)]
