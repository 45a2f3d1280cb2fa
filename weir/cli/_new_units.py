"""New GitRepositories and Kustomizations, by Flux's flags.

Rule: https://fluxcd.io/flux/cmd/flux_create_source_git/ and https://fluxcd.io/flux/cmd/flux_create_kustomization/
"""

from __future__ import annotations

import argparse
from typing import Final

from weir.cli._new import New, Obj, add_interval, described, filled, many, named, only_one, reference
from weir.spec.errors import SpecError
from weir.spec.git_repository import parse_git_repository
from weir.spec.kustomization import parse_kustomization

_TIMEOUT: Final = "2m"
_CHECKED: Final = ("Deployment", "DaemonSet", "StatefulSet")


def _add_git(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", required=True, help="http://, https:// or ssh:// URL of the repository")
    parser.add_argument("--branch", default="", help="branch to follow (Flux's default: master)")
    parser.add_argument("--tag", default="", help="tag to follow")
    parser.add_argument("--tag-semver", default="", metavar="RANGE", help="follow the highest tag in a range")
    parser.add_argument("--ref-name", default="", metavar="REF", help="full name of a Git reference")
    parser.add_argument("--commit", default="", help="a commit, perhaps with its --branch")
    parser.add_argument("--secret-ref", default="", help="Secret with credentials")
    parser.add_argument("--proxy-secret-ref", default="", help="Secret with a proxy's address")
    parser.add_argument("--provider", default="", choices=["generic", "github"], help="how to authenticate")
    parser.add_argument("--recurse-submodules", action="store_true")
    parser.add_argument("--ignore-paths", action="append", default=[], metavar="PATH", help="left out")
    parser.add_argument(
        "--sparse-checkout-paths", action="append", default=[], metavar="PATH", help="only these"
    )
    parser.add_argument(
        "--fetch-timeout", default="", metavar="DURATION", help="for one fetch (default: 60s)"
    )
    add_interval(parser)


def _build_git(args: argparse.Namespace) -> Obj:
    given = {"--tag": args.tag, "--tag-semver": args.tag_semver, "--ref-name": args.ref_name}
    only_one({**given, "--commit": args.commit}, needed=False)
    ref = filled(
        branch=args.branch, tag=args.tag, semver=args.tag_semver, name=args.ref_name, commit=args.commit
    )
    ignore = many(args.ignore_paths)
    spec = filled(
        interval=args.interval,
        url=args.url,
        timeout=args.fetch_timeout,
        ref=ref,
        provider=args.provider,
        secretRef=named(args.secret_ref),
        proxySecretRef=named(args.proxy_secret_ref),
        recurseSubmodules=args.recurse_submodules,
        ignore="\n".join(ignore) + "\n" if ignore else "",
        sparseCheckout=many(args.sparse_checkout_paths),
    )
    return described(args, "source.toolkit.fluxcd.io/v1", "GitRepository", spec=spec)


def _add_kustomization(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source", required=True, metavar="[KIND/]NAME[.NAMESPACE]", help="where its files are"
    )
    parser.add_argument("--path", default="./", help="folder in the source (default: ./)")
    parser.add_argument("--prune", action="store_true", help="delete what leaves Git")
    parser.add_argument(
        "--wait", action="store_true", help="be ready when all objects are, whatever --health-check names"
    )
    parser.add_argument(
        "--health-check",
        action="append",
        default=[],
        metavar="KIND/NAME.NAMESPACE",
        help="be ready when it is",
    )
    parser.add_argument(
        "--health-check-timeout", default="", metavar="DURATION", help="for the two (default: 2m, with them)"
    )
    parser.add_argument(
        "--depends-on", action="append", default=[], metavar="[NAMESPACE/]NAME", help="units before it"
    )
    parser.add_argument("--service-account", default="", help="whom to apply as")
    parser.add_argument("--target-namespace", default="", help="namespace of all objects")
    parser.add_argument(
        "--kubeconfig-secret-ref", default="", help="Secret with another cluster's kubeconfig"
    )
    parser.add_argument("--retry-interval", default="", metavar="DURATION", help="after a failure")
    add_interval(parser)


def _build_kustomization(args: argparse.Namespace) -> Obj:
    checks = [] if args.wait else [_health_check(text) for text in many(args.health_check)]
    spec = filled(
        interval=args.interval,
        retryInterval=args.retry_interval,
        timeout=args.health_check_timeout or _TIMEOUT * (args.wait or bool(checks)),
        sourceRef=reference(args.source, "GitRepository"),
        path=args.path,
        wait=args.wait,
        healthChecks=checks,
        dependsOn=[_dependency(text) for text in many(args.depends_on)],
        serviceAccountName=args.service_account,
        targetNamespace=args.target_namespace,
        kubeConfig=filled(secretRef=named(args.kubeconfig_secret_ref)),
    )
    return described(
        args, "kustomize.toolkit.fluxcd.io/v1", "Kustomization", spec={**spec, "prune": args.prune}
    )


def _health_check(text: str) -> Obj:
    found = reference(text)
    if found["kind"] not in _CHECKED or "namespace" not in found:
        expected = "/".join((" or ".join(_CHECKED), "name.namespace"))
        raise SpecError.at("weir create kustomization", "--health-check", found=text, expected=expected)
    return {"apiVersion": "apps/v1", **found}


def _dependency(text: str) -> Obj:
    namespace, _, name = text.rpartition("/")
    return filled(name=name, namespace=namespace)


GIT: Final = New(
    title="GitRepository source", add_arguments=_add_git, build=_build_git, check=parse_git_repository
)
KUSTOMIZATION: Final = New(
    title="Kustomization",
    add_arguments=_add_kustomization,
    build=_build_kustomization,
    check=parse_kustomization,
)
