"""New Alerts, Providers and Receivers, by Flux's flags.

Rule: https://fluxcd.io/flux/cmd/flux_create_alert/, /flux_create_alert-provider/ and /flux_create_receiver/
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final

from weir.cli._new import WHERE, New, Obj, described, filled, many, named, reference
from weir.spec.alert import parse_alert
from weir.spec.errors import SpecError
from weir.spec.provider import COMMENT_TYPES, MESSAGE_TYPES, STATUS_TYPES, parse_provider
from weir.spec.receiver import GROUP, OIDC, TYPES, parse_receiver

_PROVIDERS: Final = (*MESSAGE_TYPES, *STATUS_TYPES, *COMMENT_TYPES)


def _add_alert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--provider-ref", required=True, metavar="NAME", help="who is told")
    parser.add_argument(
        "--event-severity", default="", choices=["info", "error"], help="the least that counts"
    )
    parser.add_argument(
        "--event-source",
        action="append",
        required=True,
        metavar="KIND/NAME[.NAMESPACE]",
        help="whose events; * for all names",
    )


def _build_alert(args: argparse.Namespace) -> Obj:
    spec = filled(
        providerRef=named(args.provider_ref),
        eventSeverity=args.event_severity,
        eventSources=[reference(text) for text in many(args.event_source)],
    )
    return described(args, f"{GROUP}/v1beta3", "Alert", spec=spec)


def _add_provider(parser: argparse.ArgumentParser) -> None:
    _add_type(parser, _PROVIDERS)
    parser.add_argument("--channel", default="")
    parser.add_argument("--username", default="")
    parser.add_argument("--address", default="", help="URL, when it is no secret")
    parser.add_argument("--secret-ref", default="", help="Secret with address, token, ...")


def _build_provider(args: argparse.Namespace) -> Obj:
    spec = filled(
        type=args.type,
        channel=args.channel,
        username=args.username,
        address=args.address,
        secretRef=named(args.secret_ref),
    )
    return described(args, f"{GROUP}/v1beta3", "Provider", spec=spec)


def _add_receiver(parser: argparse.ArgumentParser) -> None:
    _add_type(parser, TYPES)
    parser.add_argument("--secret-ref", default="", help=f"Secret with the token; for all types but {OIDC}")
    parser.add_argument("--oidc-issuer", default="", metavar="URL", help=f"for {OIDC}: whose ID tokens count")
    parser.add_argument("--oidc-audience", default="", help="for whom they have to be (default: as Flux)")
    parser.add_argument(
        "--oidc-validation",
        action="append",
        default=[],
        metavar="CEL",
        help="what has to be true of their claims, such as \"claims.repository == 'my-org/fleet'\"",
    )
    parser.add_argument("--event", action="append", default=[], help="events that count (default: all)")
    parser.add_argument(
        "--resource",
        action="append",
        required=True,
        metavar="KIND/NAME[.NAMESPACE]",
        help="what is reconciled",
    )


def _build_receiver(args: argparse.Namespace) -> Obj:
    if args.type != OIDC and not args.secret_ref:
        raise SpecError.at(WHERE, "--secret-ref", found=None, expected="the Secret with the token")
    provider = filled(
        issuerURL=args.oidc_issuer,
        audience=args.oidc_audience,
        validations=[
            {"expression": expression, "message": f"not true: {expression}"}
            for expression in args.oidc_validation
        ],
    )
    spec = filled(
        type=args.type,
        oidcProviders=[provider] if provider else [],
        events=many(args.event),
        resources=[reference(text) for text in many(args.resource)],
        secretRef=named(args.secret_ref),
    )
    return described(args, f"{GROUP}/v1", "Receiver", spec=spec)


def _add_type(parser: argparse.ArgumentParser, types: Sequence[str]) -> None:
    parser.add_argument(
        "--type", required=True, choices=types, metavar="TYPE", help=f"one of {', '.join(types)}"
    )


ALERT: Final = New(title="Alert", add_arguments=_add_alert, build=_build_alert, check=parse_alert)
PROVIDER: Final = New(
    title="Provider", add_arguments=_add_provider, build=_build_provider, check=parse_provider
)
RECEIVER: Final = New(
    title="Receiver", add_arguments=_add_receiver, build=_build_receiver, check=parse_receiver
)
