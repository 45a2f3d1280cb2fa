"""Verbs and flags of Flux's command line that there are none of here, and what to do instead.

Rule: https://fluxcd.io/flux/cmd/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

_NO_NEED: Final = "leave it out"
_FLAGS: Final[dict[str, tuple[str, ...]]] = {
    "the stack's settings name the cluster and its user (weir:cluster)": (
        *("as", "as-group", "as-uid", "as-user-extra", "certificate-authority", "client-certificate"),
        *("client-key", "cluster", "context", "insecure-skip-tls-verify", "kubeconfig", "server"),
        *("tls-server-name", "token", "user"),
    ),
    "without -n, all namespaces of the stack are meant": ("ns-follows-kube-context",),
    f"the whole stack is meant: {_NO_NEED}": ("namespace", "n"),
    f"requests are bounded and cached by Weir itself: {_NO_NEED}": (
        *("cache-dir", "disable-compression", "kube-api-burst", "kube-api-qps", "request-timeout"),
    ),
    f"each request has a bound of its own, and only reconcile and resume wait longer: {_NO_NEED}": (
        "timeout",
    ),
    "-o yaml or -o json say more": ("verbose",),
    "the watcher's files on this machine are read; of one in a cluster, see kubectl logs": (
        "flux-namespace",
    ),
    "Secrets stay in the cluster: see kubectl get secret": ("with-credentials",),
    "the unit is taken from what the stack declares: change it there, or try it with --path": (
        "kustomization-file",
    ),
    "the cluster is asked for Secrets and ConfigMaps, and nothing is changed: leave it out": ("dry-run",),
    "a plan without names is that of the whole stack, units below others too": ("recursive",),
    "say --path Kind/namespace/name=FOLDER, once for each source": ("local-sources",),
    "set spec.ignore of the source": ("ignore-paths",),
    f"a variable without a value is always an error: {_NO_NEED}": ("strict-substitute",),
    f"nothing is written into your folder: {_NO_NEED}": ("in-memory-build",),
    f"what is not in the cluster is shown as new: {_NO_NEED}": ("ignore-not-found",),
    f"there is none: {_NO_NEED}": ("progress-bar",),
    f"there is nothing to ask: {_NO_NEED}": ("silent",),
    f"Namespaces are never deleted: {_NO_NEED}": ("keep-namespace",),
    f"there are no controllers to check: {_NO_NEED}": ("components", "components-extra"),
    "make a Secret with weir create secret git --export, and name it with --secret-ref": (
        *("ca-file", "password", "private-key-file", "username"),
    ),
    "make the key with ssh-keygen, and pass --private-key-file to weir create secret git": (
        *("ssh-ecdsa-curve", "ssh-key-algorithm", "ssh-rsa-bits"),
    ),
    "encrypted files are not read yet": ("decryption-provider", "decryption-secret"),
    f"objects are always checked by the cluster: {_NO_NEED}": ("validation",),
    f"such an object has none: {_NO_NEED}": ("interval",),
    "there are no HelmReleases yet": ("force", "reset"),
}
"""What to do instead -> flags without their dashes."""
FLAGS: Final = {f"{'-' * min(len(flag), 2)}{flag}": hint for hint, flags in _FLAGS.items() for flag in flags}
"""Flag -> what to do instead, where a verb does not have it."""

_ARTIFACTS: Final = "artifacts are neither built nor pushed: sources are Git repositories"
VERBS: Final = {
    "bootstrap": "write a stack's settings and run weir up (docs/your-cluster.md)",
    "debug": "see weir get ks NAME -o yaml, weir build ks NAME and weir explain COMMIT",
    "envsubst": "see weir build ks NAME",
    "install": "nothing is installed: write a stack's settings and run weir up (docs/your-cluster.md)",
    "list": _ARTIFACTS,
    "migrate": "write apiVersion in Git: an error of weir diff names the versions that are read",
    "plugin": "there are none",
    "pull": _ARTIFACTS,
    "push": _ARTIFACTS,
    "tag": _ARTIFACTS,
}
"""Verb -> what to do instead."""


def as_verb(words: Sequence[str]) -> list[str]:
    """`help VERB` as `VERB --help` and `--version` as `version --client`; other words as they are."""
    match list(words):
        case ["help", *others]:
            return [*others, "--help"]
        case ["--version", *others]:
            return ["version", "--client", *others]
        case same:
            return same


def unknown(words: Iterable[str]) -> str:
    """What to say of words that no parser took."""
    told = list(words)
    hints = [f"{flag}: {FLAGS[flag]}" for flag in (word.partition("=")[0] for word in told) if flag in FLAGS]
    return "; ".join(hints) if hints else f"unrecognized arguments: {' '.join(told)}"
