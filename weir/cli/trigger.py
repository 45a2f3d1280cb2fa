"""`weir trigger receiver NAME`: send a webhook to a Receiver, from a job or by hand; the cluster is not asked."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Final
from urllib.parse import urlsplit

from weir.flow.trigger import TYPES, make_webhook, read_job_token, send_webhook
from weir.spec.duration import parse_duration
from weir.spec.errors import SpecError
from weir.spec.header import DEFAULT_NAMESPACE
from weir.spec.identity import UnitId
from weir.spec.oidc_provider import AUDIENCE
from weir.spec.receiver import OIDC

_WHERE: Final = "weir trigger receiver"
_STDIN: Final = "-"
_VARIABLE: Final = "FLUX_TRIGGER_RECEIVER_OIDC_TOKEN"
_JOBS: Final = ("github", "forgejo")
"""Whose jobs have ID tokens, all in the same way."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = "Exit codes: 0 the webhook was taken, 1 it was not, as the message says, 2 wrong usage."
    parser.add_argument("kind", choices=["receiver"])
    parser.add_argument("name", metavar="NAME", help="the receiver's name")
    parser.add_argument("-n", "--namespace", default=DEFAULT_NAMESPACE, help="default: flux-system")
    parser.add_argument("--url", required=True, help="where the watcher listens, without /hook/...")
    parser.add_argument(
        "--type", default=TYPES[0], choices=TYPES, help=f"the receiver's (default: {TYPES[0]})"
    )
    parser.add_argument("--token", default="", help="that of its Secret; - reads it from the standard input")
    parser.add_argument("--payload", default="{}", metavar="JSON", help="the body (default: {})")
    parser.add_argument(
        "--oidc-provider", choices=_JOBS, help="take the ID token of the job that this runs in"
    )
    parser.add_argument(
        "--oidc-token", default="", metavar="TOKEN", help=f"an ID token (default: ${_VARIABLE})"
    )
    parser.add_argument("--oidc-audience", default="", metavar="AUDIENCE", help=f"default: {AUDIENCE}")
    parser.add_argument("--retries", type=_count, default=10, metavar="COUNT", help="default: 10")
    parser.add_argument(
        "--retry-delay", type=_seconds, default="10s", metavar="DURATION", help="default: 10s"
    )
    parser.add_argument(
        "--timeout", type=_seconds, default="5m", metavar="DURATION", help="in all (default: 5m)"
    )


def run(args: argparse.Namespace) -> int:
    """Send it, again while that may help, and say so."""
    _check(args)
    unit = UnitId("Receiver", args.namespace, args.name)
    token = sys.stdin.readline().rstrip("\n") if args.token == _STDIN else args.token
    webhook = make_webhook(
        args.url,
        unit,
        args.type,
        args.payload.encode(),
        token=token.encode(),
        id_token=_id_token(args) if args.type == OIDC else "",
    )
    print(f"► triggering {unit}", flush=True)
    send_webhook(
        webhook,
        retries=args.retries,
        pause=args.retry_delay,
        seconds=args.timeout,
        waiting=lambda why: print(f"◎ {why}", file=sys.stderr),
    )
    print(f"✔ {unit} triggered")
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse what does not go together. Raises SpecError."""
    if urlsplit(args.url).scheme not in ("http", "https") or not urlsplit(args.url).hostname:
        raise SpecError.at(_WHERE, "--url", found=args.url, expected="an http:// or https:// URL")
    oidc = {
        "--oidc-provider": args.oidc_provider,
        "--oidc-token": args.oidc_token,
        "--oidc-audience": args.oidc_audience,
    }
    if args.type == OIDC and args.token:
        raise SpecError.at(_WHERE, "--token", found="one", expected=f"none for type {OIDC}")
    if args.type != OIDC and not args.token:
        raise SpecError.at(_WHERE, "--token", found=None, expected="the token of the receiver's Secret")
    for flag, value in oidc.items() if args.type != OIDC else ():
        if value:
            raise SpecError.at(_WHERE, flag, found="it", expected=f"--type {OIDC} with it")
    if args.oidc_provider and args.oidc_token:
        raise SpecError.at(_WHERE, "--oidc-token", found="it and --oidc-provider", expected="one of them")
    if args.oidc_audience and not args.oidc_provider:
        raise SpecError.at(_WHERE, "--oidc-audience", found="it", expected="--oidc-provider with it")


def _id_token(args: argparse.Namespace) -> str:
    """Raises WeirError."""
    if args.oidc_provider:
        return read_job_token(args.oidc_audience or AUDIENCE, os.environ, args.timeout)
    token: str = args.oidc_token or os.environ.get(_VARIABLE, "")
    if not token:
        expected = f"an ID token, ${_VARIABLE} or --oidc-provider"
        raise SpecError.at(_WHERE, "--oidc-token", found=None, expected=expected)
    return token


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"found {text}, expected 0 or more")
    return int(text)


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(f"found {text}, expected {err}") from err
