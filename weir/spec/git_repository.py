"""GitRepository (source.toolkit.fluxcd.io/v1): the fields of Flux's document, parsed once.

Rule: https://fluxcd.io/flux/components/source/gitrepositories/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.fields import Fields, name_only
from weir.spec.header import read_header, spec_fields
from weir.spec.identity import UnitId

KIND: Final = "GitRepository"
GROUP: Final = "source.toolkit.fluxcd.io"
HEADS: Final = "refs/heads/"
REF: Final = re.compile(r"(?!-)(?!.*(\.\.|//|@\{|\.lock$))[^\x00-\x20~^:?*\[\\\x7f]+(?<!/)(?<!\.)", re.ASCII)
"""A name of a branch, a tag or another reference (https://git-scm.com/docs/git-check-ref-format)."""

_URL: Final = re.compile(r"(https?|ssh|file)://[^\s]+", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitRef:
    """What to check out. Precedence, low to high: branch, tag, semver, name, commit."""

    branch: str = ""
    tag: str = ""
    semver: str = ""
    name: str = ""
    commit: str = ""

    @property
    def head(self) -> str:
        """The branch that commits on top of it belong to, empty when it does not say."""
        return self.name.removeprefix(HEADS) if self.name.startswith(HEADS) else self.branch


@dataclass(frozen=True, slots=True, kw_only=True)
class GitVerify:
    """Signature verification: `mode` is HEAD, Tag or TagAndHEAD; `secret` holds `*.asc` and `*.sshpub` keys."""

    mode: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GitInclude:
    """Another GitRepository's artifact copied into this one."""

    repository: str
    from_path: str
    to_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GitRepositorySpec:
    """One GitRepository object."""

    id: UnitId
    where: str
    """`file: Kind/namespace/name`, for messages."""
    annotations: dict[str, str]
    url: str
    interval: float
    """Seconds."""
    timeout: float
    """Seconds, 60 by default."""
    ref: GitRef
    secret: str = ""
    """Name of a Secret in the same namespace."""
    provider: str = "generic"
    service_account: str = ""
    proxy_secret: str = ""
    verify: GitVerify | None = None
    ignore: str | None = None
    sparse_checkout: tuple[str, ...] = ()
    include: tuple[GitInclude, ...] = ()
    recurse_submodules: bool = False
    suspend: bool = False


def parse_git_repository(document: Document) -> GitRepositorySpec:
    """The spec of a GitRepository document. Raises SpecError."""
    header = read_header(document)
    spec = spec_fields(document)
    url = spec.text(
        "url", form=_URL, expected="an http://, https:// or ssh:// URL (user@host:path is not one)"
    )
    secret = spec.child("secretRef")
    proxy = spec.child("proxySecretRef")
    parsed = GitRepositorySpec(
        id=header.id,
        where=document.where,
        annotations=header.annotations,
        url=url,
        interval=spec.duration("interval"),
        timeout=spec.duration("timeout", 60.0),
        ref=parse_git_ref(spec.child("ref")),
        secret=name_only(secret),
        provider=spec.text("provider", "generic", one_of=("generic", "aws", "azure", "github")),
        service_account=spec.text("serviceAccountName", ""),
        proxy_secret=name_only(proxy),
        verify=_parse_verify(spec.child("verify")),
        ignore=spec.text("ignore", None),
        sparse_checkout=tuple(inside(spec, "sparseCheckout", path) for path in spec.texts("sparseCheckout")),
        include=tuple(_parse_include(item) for item in spec.children("include")),
        recurse_submodules=spec.boolean("recurseSubmodules"),
        suspend=spec.boolean("suspend"),
    )
    spec.done()
    _check_together(parsed)
    return parsed


def parse_git_ref(fields: Fields | None) -> GitRef:
    """What a `ref` means; the branch `master` for none and for an empty one. Raises SpecError."""
    if fields is None:
        return GitRef(branch="master")
    expected = "a Git reference name"
    ref = GitRef(
        branch=fields.text("branch", "", form=REF, expected=expected),
        tag=fields.text("tag", "", form=REF, expected=expected),
        semver=fields.text("semver", ""),
        name=fields.text("name", "", form=REF, expected=f"{expected} such as refs/heads/main"),
        commit=fields.text(
            "commit", "", form=_COMMIT, expected="a full commit hash of 40 hexadecimal digits"
        ),
    )
    fields.done()
    return ref if ref != GitRef() else GitRef(branch="master")


def _parse_verify(fields: Fields | None) -> GitVerify | None:
    if fields is None:
        return None
    mode = fields.text("mode", "HEAD", one_of=("HEAD", "head", "Tag", "TagAndHEAD"))
    secret = fields.child("secretRef", required=True)
    fields.done()
    return GitVerify(mode="HEAD" if mode == "head" else mode, secret=name_only(secret))


def _parse_include(fields: Fields) -> GitInclude:
    repository = name_only(fields.child("repository", required=True))
    from_path = inside(fields, "fromPath", fields.text("fromPath", ""))
    to_path = inside(fields, "toPath", fields.text("toPath", "")) or repository
    fields.done()
    return GitInclude(repository=repository, from_path=from_path, to_path=to_path)


def inside(fields: Fields, field: str, path: str) -> str:
    """A relative path that stays inside the tree, without leading `./`. Raises SpecError."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or "\x00" in path:
        raise fields.error(field, "a path inside the repository")
    return "/".join(parts)


def _check_together(spec: GitRepositorySpec) -> None:
    """Fields that exclude or need each other. Raises SpecError."""
    follows_tag = spec.ref.tag or spec.ref.semver or spec.ref.name
    if spec.verify and spec.verify.mode in ("Tag", "TagAndHEAD") and not follows_tag:
        expected, hint = "HEAD when no tag is followed", "set spec.ref.tag, spec.ref.semver or spec.ref.name"
        raise SpecError.at(
            spec.where, "spec.verify.mode", found=spec.verify.mode, expected=expected, hint=hint
        )
    account = spec.service_account
    if account and spec.provider not in ("aws", "azure"):
        field = "spec.serviceAccountName"
        raise SpecError.at(spec.where, field, found=account, expected="nothing for this provider")
