"""ImageUpdateAutomation (image.toolkit.fluxcd.io/v1 and v1beta2): the fields of Flux's document, parsed once.

Rule: https://fluxcd.io/flux/components/image/imageupdateautomations/

Flux pushes a commit and leaves the rest to others. These annotations of the ImageUpdateAutomation say more; none is
needed, and one of Weir's that is not in this list is an error:

- `weir.dev/workloads: "true"`: also follow Flux 1's annotations of workloads in the files under `spec.update.path`.
- `weir.dev/pull-request: github`, `gitlab` or `gitea`: open a pull request from `spec.git.push.branch`, which has to
  differ from the branch that is checked out, to that one, or update the open one. The others need this one.
- `weir.dev/pull-request-secret: forge`: the Secret beside the automation whose key `token` may do that; required then.
- `weir.dev/pull-request-api: https://git.example/api/v3`: where the API answers, if not at the host of the repository.
- `weir.dev/pull-request-labels: "images, bot"`: labels that the pull request gets.
- `weir.dev/pull-request-title: New images`: its title; without it, the first line of the commit message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from weir.spec import git_repository, image_repository
from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.fields import Fields, name_only
from weir.spec.git_repository import REF, GitRef, inside, parse_git_ref
from weir.spec.header import OWN, own_annotations, read_header, spec_fields
from weir.spec.identity import UnitId
from weir.spec.label_selector import LabelSelector, parse_label_selector

WORKLOADS: Final = f"{OWN}workloads"
PULL_REQUEST: Final = f"{OWN}pull-request"
PULL_REQUEST_SECRET: Final = f"{PULL_REQUEST}-secret"
PULL_REQUEST_API: Final = f"{PULL_REQUEST}-api"
PULL_REQUEST_LABELS: Final = f"{PULL_REQUEST}-labels"
PULL_REQUEST_TITLE: Final = f"{PULL_REQUEST}-title"

ForgeKind = Literal["github", "gitlab", "gitea"]

_PERSON: Final = re.compile(r"[^<>\x00-\x1f\x7f]*", re.ASCII)
_EMAIL: Final = re.compile(r"[^<>\x00-\x20\x7f]+", re.ASCII)
_OPTION: Final = re.compile(r"[^=\x00-\x1f\x7f]+", re.ASCII)
_LINE: Final = re.compile(r"[^\x00-\x1f\x7f]*", re.ASCII)
_API: Final = re.compile(
    r"(https://[^\s/@?#]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?)(/[^\s@?#]*)?", re.ASCII
)
_ANNOTATIONS: Final = "metadata.annotations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who commits."""

    name: str = ""
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """What commits are signed with."""

    kind: Literal["gpg", "ssh"] = "gpg"
    secret: str
    """Name of a Secret beside the automation: `git.asc` and `passphrase` for gpg, `identity` and `password` for ssh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Where commits go."""

    branch: str = ""
    """Empty for the branch that is checked out."""
    refspec: str = ""
    """`source:destination`, pushed besides the branch; it never deletes or forces."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What `git push -o key=value` sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequestSpec:
    """A pull request from the push branch to the one that is checked out."""

    forge: ForgeKind
    secret: str
    """Name of a Secret beside the automation that holds `token`."""
    api: str = ""
    """URL of the API without a slash at its end; empty for the one that the repository's host has."""
    labels: tuple[str, ...] = ()
    title: str = ""
    """Empty for the first line of the commit message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAutomationSpec:
    """One ImageUpdateAutomation object."""

    id: UnitId
    where: str
    """`file: Kind/namespace/name`, for messages."""
    annotations: dict[str, str]
    source: UnitId
    """The GitRepository whose files are edited."""
    interval: float
    """Seconds."""
    suspend: bool = False
    checkout: GitRef | None = None
    """What the edits start from; None for what the GitRepository follows."""
    author: Author
    signing: SigningKey | None = None
    message_template: str = ""
    """Empty for Flux's own message."""
    message_values: Mapping[str, str] = field(default_factory=dict)
    push: Push = Push()
    policy_selector: LabelSelector = field(default_factory=LabelSelector)
    """Which ImagePolicies of its own namespace count, by their labels."""
    path: str = ""
    """Only files below it are edited; empty for all. Without leading `./`, and never outside the repository."""
    workloads: bool = False
    """Whether Flux 1's annotations of workloads are followed too."""
    pull_request: PullRequestSpec | None = None


def parse_image_automation(document: Document) -> ImageAutomationSpec:
    """The spec of an ImageUpdateAutomation document. Raises SpecError."""
    image_repository.check_api_version(document)
    header = read_header(document)
    spec = spec_fields(document)
    git = _required(spec, "git")
    commit = _required(git, "commit")
    checkout = git.child("checkout")
    own = own_annotations(header.annotations, document.where)
    parsed = ImageAutomationSpec(
        id=header.id,
        where=document.where,
        annotations=header.annotations,
        source=_parse_source(_required(spec, "sourceRef"), header.id.namespace),
        interval=spec.duration("interval"),
        suspend=spec.boolean("suspend"),
        checkout=_parse_checkout(checkout),
        author=_parse_author(_required(commit, "author")),
        signing=_parse_signing(commit.child("signingKey")),
        message_template=commit.text("messageTemplate", ""),
        message_values=commit.text_map("messageTemplateValues"),
        push=_parse_push(git.child("push")),
        policy_selector=parse_label_selector(spec.child("policySelector")),
        path=_parse_update(spec.child("update")),
        workloads=own.text(WORKLOADS, "false", one_of=("true", "false")) == "true",
        pull_request=_parse_pull_request(own),
    )
    for fields in (commit, git, spec, own):
        fields.done()
    check_branches(parsed, parsed.checkout)
    return parsed


def check_branches(spec: ImageAutomationSpec, ref: GitRef | None) -> None:
    """Refuse a pull request that is not from one branch to another.

    `ref` is what is checked out: the GitRepository's where the automation does not say; None while that is not known.

    Raises:
        SpecError: there is to be a pull request, and no two branches.
    """
    if spec.pull_request is None:
        return
    branch = spec.push.branch
    if not branch or (ref and branch == ref.head):
        expected = "a branch other than the one that is checked out, as there is to be a pull request"
        hint = f"name another branch, or remove the annotation {PULL_REQUEST}"
        raise SpecError.at(
            spec.where, "spec.git.push.branch", found=branch or None, expected=expected, hint=hint
        )
    if ref and not ref.head:
        expected = "nothing while no branch is checked out"
        hint = "name a branch in spec.git.checkout.ref or in spec.ref of the GitRepository"
        found = spec.pull_request.forge
        raise SpecError.at(
            spec.where, f"{_ANNOTATIONS}.{PULL_REQUEST}", found=found, expected=expected, hint=hint
        )


def _required(fields: Fields, name: str) -> Fields:
    child = fields.child(name, required=True)
    if child is None:
        raise fields.error(name, "a mapping")
    return child


def _parse_source(fields: Fields, namespace: str) -> UnitId:
    version = fields.text("apiVersion", "")
    if version and version.partition("/")[0] != git_repository.GROUP:
        raise fields.error("apiVersion", f"a version of {git_repository.GROUP}")
    kind = fields.text("kind", git_repository.KIND, one_of=(git_repository.KIND,))
    unit = UnitId(kind, fields.name("namespace", namespace), fields.name("name"))
    fields.done()
    return unit


def _parse_checkout(fields: Fields | None) -> GitRef | None:
    if fields is None:
        return None
    ref = parse_git_ref(_required(fields, "ref"))
    fields.done()
    return ref


def _parse_author(fields: Fields) -> Author:
    expected = "a text of one line without < and >"
    name = fields.text("name", "", form=_PERSON, expected=expected)
    author = Author(name=name.strip(), email=fields.text("email", form=_EMAIL, expected=expected))
    fields.done()
    return author


def _parse_signing(fields: Fields | None) -> SigningKey | None:
    if fields is None:
        return None
    secret = name_only(_required(fields, "secretRef"))
    key = SigningKey(kind=fields.text("type", "gpg", one_of=("gpg", "ssh")), secret=secret)
    fields.done()
    return key


def _parse_push(fields: Fields | None) -> Push:
    if fields is None:
        return Push()
    branch = fields.text("branch", "", form=REF, expected="the name of a branch")
    push = Push(branch=branch, refspec=_parse_refspec(fields), options=fields.text_map("options"))
    fields.done()
    for key, value in push.options.items():
        if not _OPTION.fullmatch(key) or not _LINE.fullmatch(value):
            expected = "options of one line each, without '=' in their names"
            raise fields.error("options", expected)
    return push


def _parse_refspec(fields: Fields) -> str:
    text: str = fields.text("refspec", "")
    source, colon, destination = text.partition(":")
    parts = [source, destination] if colon else [source]
    if text and (text.startswith("+") or not all(REF.fullmatch(part) for part in parts)):
        hint = "such as refs/heads/main:refs/heads/images; nothing is deleted or forced"
        raise fields.error("refspec", "a source and a destination with ':' between", hint=hint)
    return text


def _parse_update(fields: Fields | None) -> str:
    if fields is None:
        return ""
    fields.text("strategy", "Setters", one_of=("Setters",))
    path = inside(fields, "path", fields.text("path", ""))
    fields.done()
    return path


def _parse_pull_request(own: Fields) -> PullRequestSpec | None:
    forge = own.text(PULL_REQUEST, "", one_of=("github", "gitlab", "gitea"))
    expected = "an https:// URL without user, query and fragment (http:// only for this machine itself)"
    api = own.text(PULL_REQUEST_API, "", form=_API, expected=expected)
    title = own.text(PULL_REQUEST_TITLE, "", form=_LINE, expected="a text of one line")
    labels = own.text(PULL_REQUEST_LABELS, "", form=_LINE, expected="labels with ',' between")
    secret = own.name(PULL_REQUEST_SECRET, "")
    others = (PULL_REQUEST_SECRET, PULL_REQUEST_API, PULL_REQUEST_LABELS, PULL_REQUEST_TITLE)
    alone = next((name for name in others if name in own.data), "")
    if not forge and alone:
        raise own.error(alone, f"nothing without the annotation {PULL_REQUEST}")
    if forge and not secret:
        raise own.error(PULL_REQUEST_SECRET, "the name of a Secret that holds the key token")
    if not forge:
        return None
    return PullRequestSpec(
        forge=forge,
        secret=secret,
        api=api.rstrip("/"),
        labels=tuple(dict.fromkeys(filter(None, (label.strip() for label in labels.split(","))))),
        title=title.strip(),
    )
