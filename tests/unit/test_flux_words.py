"""What people type who know Flux: each of its flags is taken, or answered with what to do instead."""

from __future__ import annotations

import argparse
from typing import Final

import pytest

from tests.unit.test_every_verb import parsers_of
from weir.cli import VERBS, main, parse
from weir.cli._flux_words import FLAGS
from weir.cli._flux_words import VERBS as OTHER_VERBS

EVERYWHERE: Final = (
    "namespace timeout verbose as as-group as-uid as-user-extra cache-dir certificate-authority client-certificate "
    "client-key cluster context disable-compression insecure-skip-tls-verify kube-api-burst kube-api-qps kubeconfig "
    "ns-follows-kube-context request-timeout server tls-server-name token user"
)
CREATE: Final = "export interval label"
BUILD: Final = (
    "path kustomization-file strict-substitute recursive local-sources ignore-paths in-memory-build"
)
FLUX: Final = {
    "get": "all-namespaces watch no-header status-selector label-selector show-source",
    "reconcile": "with-source force reset",
    "suspend": "all",
    "trigger": "url token type payload oidc-provider oidc-token oidc-audience retries retry-delay",
    "resume": "all wait",
    "delete": "silent",
    "export": "all with-credentials",
    "build": f"{BUILD} dry-run",
    "diff": f"{BUILD} progress-bar ignore-not-found",
    "tree": "compact output",
    "trace": "kind api-version",
    "events": "all-namespaces watch for types",
    "logs": "level kind name follow tail flux-namespace all-namespaces since since-time",
    "stats": "all-namespaces",
    "check": "pre components components-extra",
    "version": "client output",
    "uninstall": "keep-namespace dry-run silent",
    "create source git": f"""{CREATE} url branch tag tag-semver ref-name commit username password secret-ref ca-file
        private-key-file recurse-submodules ignore-paths sparse-checkout-paths proxy-secret-ref provider fetch-timeout
        ssh-key-algorithm ssh-rsa-bits ssh-ecdsa-curve silent""",
    "create kustomization": f"""{CREATE} source path prune wait health-check health-check-timeout depends-on
        service-account decryption-provider decryption-secret target-namespace kubeconfig-secret-ref retry-interval
        validation""",
    "create image repository": f"{CREATE} image secret-ref cert-ref scan-timeout",
    "create image policy": f"""{CREATE} image-ref select-semver select-alpha select-numeric filter-regex filter-extract
        reflect-digest""",
    "create image update": f"""{CREATE} git-repo-ref git-repo-namespace git-repo-path checkout-branch push-branch
        commit-template author-name author-email signing-key-secret signing-key-type""",
    "create alert": f"{CREATE} provider-ref event-severity event-source",
    "create alert-provider": f"{CREATE} type channel username address secret-ref",
    "create receiver": f"{CREATE} type secret-ref event resource",
    "create secret git": f"""{CREATE} url username password bearer-token ca-file ca-crt-file private-key-file
        ssh-key-algorithm ssh-rsa-bits ssh-ecdsa-curve""",
    "create secret githubapp": f"""{CREATE} app-id app-installation-id app-installation-owner app-private-key
        app-base-url""",
    "create secret oci": f"{CREATE} url username password",
    "create secret proxy": f"{CREATE} address username password",
    "create secret receiver": f"{CREATE} type token hostname email-claim",
    "create secret tls": f"{CREATE} tls-crt-file tls-key-file ca-crt-file cert-file key-file ca-file",
}
"""Verb -> its flags in Flux, those of all verbs left out. Rule: https://fluxcd.io/flux/cmd/"""


def parser_of(verb: str) -> argparse.ArgumentParser:
    [found] = [one for one in parsers_of(verb.split(maxsplit=1)[0]) if one.prog == f"weir {verb}"]
    return found


@pytest.mark.parametrize("verb", FLUX)
def test_each_flag_of_flux_is_taken_or_answered(verb: str) -> None:
    known = parser_of(verb)._option_string_actions
    flags = [f"--{flag}" for flag in (*FLUX[verb].split(), *EVERYWHERE.split())]
    assert [flag for flag in flags if flag not in known and flag not in FLAGS] == []


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("get ks -s x --context=prod", "--context: the stack's settings name the cluster"),
        ("get ks --kubeconfig k -s x", "--kubeconfig: the stack's settings name the cluster"),
        ("diff ks web -s x --progress-bar=false", "--progress-bar: there is none: leave it out"),
        (
            "build ks web -s x --strict-substitute",
            "--strict-substitute: a variable without a value is always",
        ),
        (
            "create source git a --url u --username=me",
            "--username: make a Secret with weir create secret git",
        ),
        ("uninstall -s x -n flux-system", "-n: the whole stack is meant: leave it out"),
        ("tree ks web -s x --nonsense", "unrecognized arguments: --nonsense"),
        ("bootstrap github --owner=me", "bootstrap: write a stack's settings and run weir up"),
        ("install --export", "install: nothing is installed"),
    ],
)
def test_what_only_flux_has_is_wrong_usage_with_a_hint(
    words: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(words.split())
    assert ended.value.code == 2
    assert hint in capsys.readouterr().err


def test_no_verb_is_there_and_not_there() -> None:
    assert not set(VERBS) & set(OTHER_VERBS)


def test_help_and_version_are_asked_for_as_in_flux(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["help", "get"])
    assert ended.value.code == 0
    assert "usage: weir get " in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["help"])
    assert "understand:" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("weir: v")


def test_a_kustomization_has_its_short_name_when_it_is_created(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["create", "ks", "web", "--source=fleet", "--export"]) == 0
    assert "kind: Kustomization\n" in capsys.readouterr().out


def test_events_are_asked_for_by_type_again_and_again() -> None:
    _, args = parse(["events", "-s", "x", "--types", "warning", "--types=Normal"])
    assert args.types == ["Warning", "Normal"]
    _, args = parse(["events", "-s", "x"])
    assert args.types == []


def test_a_tail_of_minus_one_is_everything() -> None:
    for words in (["--tail", "-1"], ["--tail=-1"], []):
        _, args = parse(["logs", "-s", "x", *words])
        assert args.tail is None
