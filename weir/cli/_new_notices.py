"""New Alerts, Providers and Receivers, by Flux's flags.

Rule: https://fluxcd.io/flux/cmd/flux_create_alert/, /flux_create_alert-provider/ and /flux_create_receiver/
"""

from __future__ import annotations

import argparse
from typing import Final

from weir.cli._new import New, Obj, described, filled, many, named, reference
from weir.spec.alert import parse_alert
from weir.spec.provider import parse_provider
from weir.spec.receiver import parse_receiver

_GROUP: Final = "notification.toolkit.fluxcd.io"


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
    return described(args, f"{_GROUP}/v1beta3", "Alert", spec=spec)


def _add_provider(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--type", required=True, help="slack, msteams, github, generic, ...")
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
    return described(args, f"{_GROUP}/v1beta3", "Provider", spec=spec)


def _add_receiver(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--type", required=True, help="github, gitlab, generic-hmac, harbor, ...")
    parser.add_argument("--secret-ref", required=True, help="Secret with the token")
    parser.add_argument("--event", action="append", default=[], help="events that count (default: all)")
    parser.add_argument(
        "--resource",
        action="append",
        required=True,
        metavar="KIND/NAME[.NAMESPACE]",
        help="what is reconciled",
    )


def _build_receiver(args: argparse.Namespace) -> Obj:
    spec = filled(
        type=args.type,
        events=many(args.event),
        resources=[reference(text) for text in many(args.resource)],
        secretRef=named(args.secret_ref),
    )
    return described(args, f"{_GROUP}/v1", "Receiver", spec=spec)


ALERT: Final = New(title="Alert", add_arguments=_add_alert, build=_build_alert, check=parse_alert)
PROVIDER: Final = New(
    title="Provider", add_arguments=_add_provider, build=_build_provider, check=parse_provider
)
RECEIVER: Final = New(
    title="Receiver", add_arguments=_add_receiver, build=_build_receiver, check=parse_receiver
)
