"""What a Receiver of type `generic-oidc` trusts: the issuers of ID tokens, and what the claims of each have to say.

Rule: https://fluxcd.io/flux/components/notification/receivers/#generic-oidc
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from weir.spec.fields import Fields

AUDIENCE: Final = "notification-controller"
"""What Flux takes when the field is missing."""

_PLAIN: Final = re.compile(r"[\x21-\x7e]{1,2048}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcVariable:
    """A value that later expressions read as `vars.<name>`."""

    name: str
    expression: str
    """CEL over `claims`, and `vars` as far as they stand before this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcValidation:
    """What has to be true of a token."""

    expression: str
    """CEL over `claims` and `vars`."""
    message: str
    """For those who run the receiver, when it is not true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcProvider:
    """One issuer."""

    issuer: str
    """An https URL, exactly as the claim `iss` has it."""
    audience: str
    variables: tuple[OidcVariable, ...]
    validations: tuple[OidcValidation, ...]
    """Never empty: a public issuer's signature alone proves nothing about who sends."""


def parse_oidc_providers(spec: Fields) -> tuple[OidcProvider, ...]:
    """The `oidcProviders` of a receiver; empty when absent. Raises SpecError."""
    found: list[OidcProvider] = []
    for fields in spec.children("oidcProviders"):
        provider = _parse_provider(fields)
        if any(provider.issuer == other.issuer for other in found):
            raise fields.error("issuerURL", "an issuer that no other entry has")
        found.append(provider)
    return tuple(found)


def _parse_provider(fields: Fields) -> OidcProvider:
    found = OidcProvider(
        issuer=_parse_issuer(fields),
        audience=fields.text("audience", "") or AUDIENCE,
        variables=tuple(_parse_variable(item) for item in fields.children("variables")),
        validations=tuple(_parse_validation(item) for item in fields.children("validations")),
    )
    fields.done()
    if not found.validations:
        hint = "anybody may have tokens of a public issuer: say whose count"
        raise fields.error("validations", "one validation or more", hint=hint)
    return found


def _parse_issuer(fields: Fields) -> str:
    """https, and nothing but what an issuer may have (OpenID Connect Core 1.0 section 2)."""
    issuer: str = fields.text("issuerURL")
    try:
        parts = urlsplit(issuer)
        usable = (
            _PLAIN.fullmatch(issuer)
            and parts.scheme == "https"
            and parts.hostname
            and parts.port != 0
            and not (parts.username or parts.password or "?" in issuer or "#" in issuer)
        )
    except ValueError:
        usable = None
    if not usable:
        raise fields.error("issuerURL", "a URL such as https://token.actions.githubusercontent.com")
    return issuer


def _parse_variable(fields: Fields) -> OidcVariable:
    name: str = fields.text("name", form=_NAME, expected="a name of letters, digits and '_'")
    found = OidcVariable(name=name, expression=_filled(fields, "expression"))
    fields.done()
    return found


def _parse_validation(fields: Fields) -> OidcValidation:
    found = OidcValidation(expression=_filled(fields, "expression"), message=_filled(fields, "message"))
    fields.done()
    return found


def _filled(fields: Fields, name: str) -> str:
    text: str = fields.text(name)
    if not text:
        raise fields.error(name, "a text that is not empty")
    return text
