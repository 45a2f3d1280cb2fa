"""New objects of image automation, by Flux's flags.

Rule: https://fluxcd.io/flux/cmd/flux_create_image/
"""

from __future__ import annotations

import argparse
from typing import Final

from weir.cli._new import WHERE, New, Obj, add_interval, described, filled, named, only_one
from weir.spec.errors import SpecError
from weir.spec.image_automation import parse_image_automation
from weir.spec.image_policy import parse_image_policy
from weir.spec.image_repository import parse_image_repository

_VERSION: Final = "image.toolkit.fluxcd.io/v1"
_ORDERS: Final = ("asc", "desc")


def _add_repository(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image", required=True, help="the image without a tag, e.g. ghcr.io/org/app")
    parser.add_argument("--secret-ref", default="", help="Secret with the registry's credentials")
    parser.add_argument("--cert-ref", default="", help="Secret with certificates")
    parser.add_argument("--scan-timeout", default="", metavar="DURATION", help="for one scan")
    add_interval(parser)


def _build_repository(args: argparse.Namespace) -> Obj:
    spec = filled(
        image=args.image,
        interval=args.interval,
        timeout=args.scan_timeout,
        secretRef=named(args.secret_ref),
        certSecretRef=named(args.cert_ref),
    )
    return described(args, _VERSION, "ImageRepository", spec=spec)


def _add_policy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image-ref", required=True, metavar="NAME", help="its ImageRepository")
    parser.add_argument("--select-semver", default="", metavar="RANGE", help="the highest version in a range")
    parser.add_argument("--select-alpha", default="", choices=_ORDERS, help="the last tag by the alphabet")
    parser.add_argument("--select-numeric", default="", choices=_ORDERS, help="the last tag by number")
    parser.add_argument("--filter-regex", default="", metavar="REGEX", help="only tags that match")
    parser.add_argument(
        "--filter-extract", default="", metavar="TEXT", help="what of a tag is compared: $1, $name"
    )
    parser.add_argument(
        "--reflect-digest",
        default="",
        choices=["Never", "IfNotPresent", "Always"],
        help="note the digest too",
    )
    parser.add_argument("--interval", default="", help="how often to look at the digest, with Always")


def _build_policy(args: argparse.Namespace) -> Obj:
    rules = {
        "--select-semver": filled(semver=filled(range=args.select_semver)),
        "--select-alpha": filled(alphabetical=filled(order=args.select_alpha)),
        "--select-numeric": filled(numerical=filled(order=args.select_numeric)),
    }
    only_one(rules, needed=True)
    if args.filter_extract and not args.filter_regex:
        raise SpecError.at(
            WHERE, "--filter-extract", found=args.filter_extract, expected="--filter-regex with it"
        )
    spec = filled(
        imageRepositoryRef=named(args.image_ref),
        filterTags=filled(pattern=args.filter_regex, extract=args.filter_extract),
        policy=next(rule for rule in rules.values() if rule),
        digestReflectionPolicy=args.reflect_digest,
        interval=args.interval,
    )
    return described(args, _VERSION, "ImagePolicy", spec=spec)


def _add_update(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--git-repo-ref", required=True, metavar="NAME", help="its GitRepository")
    parser.add_argument("--git-repo-namespace", default="", metavar="NAMESPACE")
    parser.add_argument("--git-repo-path", default="", metavar="PATH", help="only files below it")
    parser.add_argument("--checkout-branch", default="", metavar="BRANCH", help="default: the repository's")
    parser.add_argument("--push-branch", default="", metavar="BRANCH", help="default: what is checked out")
    parser.add_argument("--commit-template", default="", metavar="TEMPLATE", help="of the message")
    parser.add_argument("--author-name", default="", metavar="NAME")
    parser.add_argument("--author-email", required=True, metavar="EMAIL")
    parser.add_argument("--signing-key-secret", default="", metavar="SECRET", help="signs the commits")
    parser.add_argument("--signing-key-type", default="", choices=["gpg", "ssh"], help="default: gpg")
    add_interval(parser)


def _build_update(args: argparse.Namespace) -> Obj:
    signing = filled(secretRef=named(args.signing_key_secret), type=args.signing_key_type)
    git = filled(
        checkout=filled(ref=filled(branch=args.checkout_branch)),
        commit=filled(
            author=filled(name=args.author_name, email=args.author_email),
            messageTemplate=args.commit_template,
            signingKey=signing,
        ),
        push=filled(branch=args.push_branch),
    )
    spec = filled(
        interval=args.interval,
        sourceRef=filled(kind="GitRepository", name=args.git_repo_ref, namespace=args.git_repo_namespace),
        git=git,
        update=filled(path=args.git_repo_path, strategy="Setters"),
    )
    return described(args, _VERSION, "ImageUpdateAutomation", spec=spec)


REPOSITORY: Final = New(
    title="ImageRepository",
    add_arguments=_add_repository,
    build=_build_repository,
    check=parse_image_repository,
)
POLICY: Final = New(
    title="ImagePolicy", add_arguments=_add_policy, build=_build_policy, check=parse_image_policy
)
UPDATE: Final = New(
    title="ImageUpdateAutomation",
    add_arguments=_add_update,
    build=_build_update,
    check=parse_image_automation,
)
