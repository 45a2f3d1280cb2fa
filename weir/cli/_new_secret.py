"""New Secrets that Flux's objects name, by Flux's flags. They are printed and never stored.

Rule: https://fluxcd.io/flux/cmd/flux_create_secret/
"""

from __future__ import annotations

import argparse
import base64
import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from weir.cli._new import WHERE, New, Obj, described, filled
from weir.edges.registry.access import read_proxy
from weir.flow.registry_access import read_certificate_secret
from weir.notify.hooks import TOKEN, hook_path
from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.header import read_header
from weir.spec.receiver import OIDC, TYPES

TITLE: Final = "Secret"
_STDIN: Final = "-"
_DOCKER: Final = ".dockerconfigjson"
_WEBHOOK: Final = "notification.toolkit.fluxcd.io/webhook"
"""Flux's annotation with the URL that a sender is given."""
_GCR: Final = "gcr"


def _add_login(parser: argparse.ArgumentParser, about: str = "to log in") -> None:
    parser.add_argument("-u", "--username", default="", help=about)
    parser.add_argument("-p", "--password", default="", help=f"{about}; - reads it from the standard input")


def _add_git(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", required=True, help="of the repository: says which credentials it takes")
    _add_login(parser, "for https://")
    parser.add_argument("--bearer-token", default="", help="for https://, instead of both; - as above")
    parser.add_argument("--ca-crt-file", "--ca-file", type=Path, help="certificate authority, for https://")
    parser.add_argument("--private-key-file", type=Path, help="for ssh://")
    parser.add_argument("--known-hosts-file", type=Path, help="for ssh://: the server's keys")


def _build_git(args: argparse.Namespace) -> Obj:
    scheme = args.url.partition("://")[0]
    if scheme not in ("http", "https", "ssh"):
        raise SpecError.at(WHERE, "--url", found=args.url, expected="an http://, https:// or ssh:// URL")
    return _secret(args, _ssh(args) if scheme == "ssh" else _http(args))


def _ssh(args: argparse.Namespace) -> Obj:
    if not args.private_key_file or not args.known_hosts_file:
        hint = "`ssh-keyscan HOST` gives the server's keys: compare them with what it publishes"
        expected = "--private-key-file and --known-hosts-file"
        raise SpecError.at(WHERE, "", found="an ssh:// URL", expected=expected, hint=hint)
    return {"identity": _read(args.private_key_file), "known_hosts": _read(args.known_hosts_file)}


def _http(args: argparse.Namespace) -> Obj:
    token, password = _given(args.bearer_token), _given(args.password)
    if bool(token) == bool(args.username and password):
        raise SpecError.at(
            WHERE, "", found="an http(s):// URL", expected="--username and --password, or --bearer-token"
        )
    login = {"bearerToken": token} if token else {"username": args.username, "password": password}
    return filled(**login, **{"ca.crt": _read(args.ca_crt_file)})


def _add_github_app(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--app-id", required=True, metavar="ID")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--app-installation-id", default="", metavar="ID")
    which.add_argument("--app-installation-owner", default="", metavar="NAME", help="user or organization")
    parser.add_argument("--app-private-key", required=True, type=Path, metavar="FILE", help="PEM")
    parser.add_argument("--app-base-url", default="", metavar="URL", help="of GitHub Enterprise")


def _build_github_app(args: argparse.Namespace) -> Obj:
    data = filled(
        githubAppID=args.app_id,
        githubAppInstallationID=args.app_installation_id,
        githubAppInstallationOwner=args.app_installation_owner,
        githubAppPrivateKey=_read(args.app_private_key),
        githubAppBaseURL=args.app_base_url,
    )
    return _secret(args, data)


def _add_registry(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", required=True, help="of the registry, such as ghcr.io")
    _add_login(parser)


def _build_registry(args: argparse.Namespace) -> Obj:
    password = _given(args.password)
    if not (args.username and password):
        raise SpecError.at(WHERE, "", found="no login", expected="--username and --password")
    login = f"{args.username}:{password}".encode()
    entry = {"username": args.username, "password": password, "auth": base64.b64encode(login).decode()}
    data = {_DOCKER: json.dumps({"auths": {args.url: entry}})}
    return {**_secret(args, data), "type": "kubernetes.io/dockerconfigjson"}


def _add_proxy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", required=True, metavar="URL", help="such as http://proxy.example:3128")
    _add_login(parser)


def _build_proxy(args: argparse.Namespace) -> Obj:
    return _secret(args, filled(address=args.address, username=args.username, password=_given(args.password)))


def _add_tls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tls-crt-file", "--cert-file", type=Path, metavar="FILE", help="client certificate")
    parser.add_argument("--tls-key-file", "--key-file", type=Path, metavar="FILE", help="its key")
    parser.add_argument("--ca-crt-file", "--ca-file", type=Path, metavar="FILE", help="certificate authority")


def _build_tls(args: argparse.Namespace) -> Obj:
    files = {"tls.crt": args.tls_crt_file, "tls.key": args.tls_key_file, "ca.crt": args.ca_crt_file}
    return _secret(args, filled(**{key: _read(path) for key, path in files.items()}))


def _add_receiver(parser: argparse.ArgumentParser) -> None:
    types = [kind for kind in TYPES if kind != OIDC]
    parser.add_argument(
        "--type", required=True, choices=types, metavar="TYPE", help=f"one of {', '.join(types)}"
    )
    parser.add_argument("--hostname", required=True, metavar="HOST", help="where webhooks arrive")
    parser.add_argument("--token", default="", help="default: a new one; - reads it from the standard input")
    parser.add_argument("--email-claim", default="", metavar="EMAIL", help=f"for {_GCR}: who pushes")


def _build_receiver(args: argparse.Namespace) -> Obj:
    """As Flux, for a receiver of the Secret's own name."""
    if bool(args.email_claim) != (args.type == _GCR):
        expected = f"an account for type {_GCR}, and nothing for others"
        raise SpecError.at(WHERE, "--email-claim", found=args.email_claim or None, expected=expected)
    token = _given(args.token) or secrets.token_hex(32)
    url = f"https://{args.hostname}{hook_path(token.encode(), args.name, args.namespace)}"
    claims = {"email": args.email_claim, "audience": url} if args.email_claim else {}
    made = _secret(args, {TOKEN: token, **claims})
    made["metadata"]["annotations"] = {_WEBHOOK: url}
    return made


def _secret(args: argparse.Namespace, data: Mapping[str, str]) -> Obj:
    return described(args, "v1", TITLE, stringData=dict(data))


def _given(text: str) -> str:
    return sys.stdin.readline().rstrip("\n") if text == _STDIN else text


def _read(path: Path | None) -> str:
    """The text of a file, none without one. Raises SpecError."""
    if path is None:
        return ""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as err:
        raise SpecError.at(WHERE, "", found=str(path), expected="a readable text file") from err


def _data(document: Document) -> dict[str, bytes]:
    return {key: str(text).encode() for key, text in document.data["stringData"].items()}


GIT: Final = New(title=TITLE, add_arguments=_add_git, build=_build_git, check=read_header)
GITHUB_APP: Final = New(
    title=TITLE, add_arguments=_add_github_app, build=_build_github_app, check=read_header
)
PROXY: Final = New(
    title=TITLE,
    add_arguments=_add_proxy,
    build=_build_proxy,
    check=lambda document: read_proxy(_data(document)),
)
RECEIVER: Final = New(title=TITLE, add_arguments=_add_receiver, build=_build_receiver, check=read_header)
REGISTRY: Final = New(title=TITLE, add_arguments=_add_registry, build=_build_registry, check=read_header)
TLS: Final = New(
    title=TITLE,
    add_arguments=_add_tls,
    build=_build_tls,
    check=lambda document: read_certificate_secret(_data(document)),
)
