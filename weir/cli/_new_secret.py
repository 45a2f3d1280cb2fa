"""A new Secret with what a GitRepository needs to log in, by Flux's flags. It is printed and never stored.

Rule: https://fluxcd.io/flux/cmd/flux_create_secret_git/
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from weir.cli._new import WHERE, New, Obj, described, filled
from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.header import read_header

_STDIN: Final = "-"


def _add_git(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", required=True, help="of the repository: says which credentials it takes")
    parser.add_argument("-u", "--username", default="", help="for https://")
    parser.add_argument(
        "-p", "--password", default="", help="for https://; - reads it from the standard input"
    )
    parser.add_argument("--bearer-token", default="", help="for https://, instead of both; - as above")
    parser.add_argument("--ca-crt-file", "--ca-file", type=Path, help="certificate authority, for https://")
    parser.add_argument("--private-key-file", type=Path, help="for ssh://")
    parser.add_argument("--known-hosts-file", type=Path, help="for ssh://: the server's keys")


def _build_git(args: argparse.Namespace) -> Obj:
    scheme = args.url.partition("://")[0]
    if scheme not in ("http", "https", "ssh"):
        raise SpecError.at(WHERE, "--url", found=args.url, expected="an http://, https:// or ssh:// URL")
    data = _ssh(args) if scheme == "ssh" else _http(args)
    return described(args, "v1", "Secret", stringData=data)


def _ssh(args: argparse.Namespace) -> Obj:
    if not args.private_key_file or not args.known_hosts_file:
        hint = "`ssh-keyscan HOST` gives the server's keys: compare them with what it publishes"
        expected = "--private-key-file and --known-hosts-file"
        raise SpecError.at(WHERE, "", found="an ssh:// URL", expected=expected, hint=hint)
    return {"identity": _read(args.private_key_file), "known_hosts": _read(args.known_hosts_file)}


def _http(args: argparse.Namespace) -> Obj:
    token, password = _secret(args.bearer_token), _secret(args.password)
    if bool(token) == bool(args.username and password):
        raise SpecError.at(
            WHERE, "", found="an http(s):// URL", expected="--username and --password, or --bearer-token"
        )
    login = {"bearerToken": token} if token else {"username": args.username, "password": password}
    return filled(**login, **{"ca.crt": _read(args.ca_crt_file) if args.ca_crt_file else ""})


def _secret(given: str) -> str:
    return sys.stdin.readline().rstrip("\n") if given == _STDIN else given


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as err:
        raise SpecError.at(WHERE, "", found=str(path), expected="a readable text file") from err


def _check(document: Document) -> object:
    return read_header(document)


SECRET_GIT: Final = New(title="Secret", add_arguments=_add_git, build=_build_git, check=_check)
