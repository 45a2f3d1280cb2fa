"""Provider (notification.toolkit.fluxcd.io/v1beta3): the fields of Flux's document, parsed once.

Rule: https://fluxcd.io/flux/components/notification/providers/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from weir.spec.alert import check_api_version
from weir.spec.documents import Document
from weir.spec.fields import Fields, name_only
from weir.spec.header import read_header, spec_fields
from weir.spec.identity import UnitId

KIND: Final = "Provider"

MESSAGE_TYPES: Final = (
    "generic",
    "generic-hmac",
    "slack",
    "discord",
    "msteams",
    "googlechat",
    "telegram",
    "matrix",
    "rocket",
    "webex",
    "lark",
    "zulip",
    "zoom",
    "pagerduty",
    "incident.io",
    "opsgenie",
    "sentry",
    "alertmanager",
    "grafana",
    "datadog",
    "otel",
    "githubdispatch",
    "azureeventhub",
    "googlepubsub",
)
"""Types that get one message per event."""
STATUS_TYPES: Final = ("github", "gitlab", "gitea", "bitbucket", "bitbucketserver", "azuredevops")
"""Types that set the status of a commit."""
COMMENT_TYPES: Final = (
    "githubpullrequestcomment",
    "gitlabmergerequestcomment",
    "giteapullrequestcomment",
)
"""Types that keep one comment on a pull request up to date."""

MAX_LENGTH: Final = 2048
"""Characters of an address, a channel, a user name or a proxy."""
DEFAULT_TIMEOUT: Final = 15.0
"""Seconds."""

_PROXY: Final = re.compile(r"https?://.+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """One Provider object."""

    id: UnitId
    where: str
    """`file: Kind/namespace/name`, for messages."""
    type: str
    """One of MESSAGE_TYPES, STATUS_TYPES and COMMENT_TYPES."""
    address: str = ""
    """What it means depends on the type; the Secret's `address` stands before it."""
    channel: str = ""
    username: str = ""
    timeout: float = DEFAULT_TIMEOUT
    """Seconds for one request."""
    secret: str = ""
    """Name of a Secret in the same namespace: `address`, `token`, `username`, `password`, `headers`, `proxy`."""
    cert_secret: str = ""
    """Name of a Secret in the same namespace: `ca.crt`, `tls.crt`, `tls.key`."""
    proxy: str = ""
    """Superseded by `proxy_secret`."""
    proxy_secret: str = ""
    """Name of a Secret in the same namespace: `address`, `username`, `password`."""
    commit_status_expr: str = ""
    """A CEL expression over `event`, `provider` and `alert`: the name of the commit status."""
    suspend: bool = False


def parse_provider(document: Document) -> ProviderSpec:
    """The spec of a Provider document. Raises SpecError."""
    check_api_version(document)
    header = read_header(document)
    spec = spec_fields(document)
    spec.duration("interval", None)  # Flux reads it and no longer uses it
    parsed = ProviderSpec(
        id=header.id,
        where=document.where,
        type=spec.text("type", one_of=(*MESSAGE_TYPES, *STATUS_TYPES, *COMMENT_TYPES)),
        address=_bounded(spec, "address"),
        channel=_bounded(spec, "channel"),
        username=_bounded(spec, "username"),
        timeout=spec.duration("timeout", DEFAULT_TIMEOUT),
        secret=name_only(spec.child("secretRef")),
        cert_secret=name_only(spec.child("certSecretRef")),
        proxy=_bounded(spec, "proxy"),
        proxy_secret=name_only(spec.child("proxySecretRef")),
        commit_status_expr=spec.text("commitStatusExpr", ""),
        suspend=spec.boolean("suspend"),
    )
    account = spec.text("serviceAccountName", "")
    spec.done()
    if account:
        raise spec.error("serviceAccountName", "nothing: credentials come from spec.secretRef")
    if parsed.proxy and not _PROXY.fullmatch(parsed.proxy):
        raise spec.error("proxy", "an http:// or https:// URL")
    if parsed.commit_status_expr and parsed.type not in STATUS_TYPES:
        raise spec.error("commitStatusExpr", f"nothing for type {parsed.type}")
    return parsed


def _bounded(spec: Fields, field: str) -> str:
    text: str = spec.text(field, "")
    if len(text) > MAX_LENGTH:
        raise spec.error(field, f"at most {MAX_LENGTH} characters")
    return text
