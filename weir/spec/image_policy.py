"""ImagePolicy (image.toolkit.fluxcd.io/v1 and v1beta2): the fields of Flux's document, parsed once.

Rule: https://fluxcd.io/flux/components/image/imagepolicies/

Flux follows a policy wherever it leads. These annotations of the ImagePolicy say more; none is needed, and one of
Weir's that is not in this list is an error:

- `weir.dev/minimum-age: 24h`: a tag counts once its image was built that long ago (a duration as in `interval`).
- `weir.dev/allow-downgrade: "true"`: move to a lower tag too, as Flux does. Otherwise the image stays.
- `weir.dev/missing-tag: rollback`: when the tag in use is gone from the registry, move to the newest one that is there
  and that the policy allows, even if it is lower. `hold`, the default, only reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from weir.spec import image_repository
from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.fields import Fields
from weir.spec.header import OWN, own_annotations, read_header, spec_fields
from weir.spec.identity import UnitId
from weir.spec.kinds import IMAGE_REPOSITORY

MINIMUM_AGE: Final = f"{OWN}minimum-age"
ALLOW_DOWNGRADE: Final = f"{OWN}allow-downgrade"
MISSING_TAG: Final = f"{OWN}missing-tag"
MOVES: Final = (MINIMUM_AGE, ALLOW_DOWNGRADE, MISSING_TAG)
"""The annotations of `MoveRules`."""

MissingTag = Literal["hold", "rollback"]
Reflection = Literal["Never", "IfNotPresent", "Always"]


@dataclass(frozen=True, slots=True)
class SemverRule:
    """The highest version in a range."""

    range: str


@dataclass(frozen=True, slots=True)
class AlphabeticalRule:
    """The last tag in the order of its letters, or the first."""

    descending: bool = False


@dataclass(frozen=True, slots=True)
class NumericalRule:
    """The largest number, or the smallest."""

    descending: bool = False


Rule = SemverRule | AlphabeticalRule | NumericalRule


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFilter:
    """Which tags count, and what of them the rule sees; texts in Go's regexp and template syntax, empty for all."""

    pattern: str = ""
    extract: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRules:
    """When an image may move from one tag to another."""

    minimum_age: float = 0.0
    """Seconds since the image was built; 0 for no minimum."""
    allow_downgrade: bool = False
    missing_tag: MissingTag = "hold"
    """What happens when the tag in use is gone from the registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePolicySpec:
    """One ImagePolicy object."""

    id: UnitId
    where: str
    """`file: Kind/namespace/name`, for messages."""
    labels: dict[str, str]
    annotations: dict[str, str]
    repository: UnitId
    rule: Rule
    filter_tags: TagFilter = TagFilter()
    digest_reflection: Reflection = "Never"
    interval: float | None = None
    """Seconds between looks at the digest of an unchanged tag; only with digest_reflection Always."""
    suspend: bool = False
    moves: MoveRules = MoveRules()


def parse_image_policy(document: Document) -> ImagePolicySpec:
    """The spec of an ImagePolicy document. Raises SpecError."""
    image_repository.check_api_version(document)
    header = read_header(document)
    spec = spec_fields(document)
    parsed = ImagePolicySpec(
        id=header.id,
        where=document.where,
        labels=header.labels,
        annotations=header.annotations,
        repository=_parse_repository(spec, header.id.namespace),
        rule=_parse_rule(spec),
        filter_tags=_parse_filter(spec.child("filterTags")),
        digest_reflection=spec.text(
            "digestReflectionPolicy", "Never", one_of=("Never", "IfNotPresent", "Always")
        ),
        interval=spec.duration("interval", None),
        suspend=spec.boolean("suspend"),
        moves=parse_move_rules(header.annotations, document.where),
    )
    spec.done()
    if (parsed.digest_reflection == "Always") != (parsed.interval is not None):
        always = parsed.digest_reflection == "Always"
        expected = "a duration" if always else "nothing unless spec.digestReflectionPolicy is Always"
        raise spec.error("interval", expected)
    return parsed


def parse_move_rules(annotations: Mapping[str, str], where: str) -> MoveRules:
    """What Weir's annotations say; `where` is for messages. Raises SpecError."""
    fields = own_annotations(annotations, where)
    rules = MoveRules(
        minimum_age=fields.duration(MINIMUM_AGE, 0.0),
        allow_downgrade=fields.text(ALLOW_DOWNGRADE, "false", one_of=("true", "false")) == "true",
        missing_tag=fields.text(MISSING_TAG, "hold", one_of=("hold", "rollback")),
    )
    fields.done()
    return rules


def _parse_repository(spec: Fields, namespace: str) -> UnitId:
    reference = spec.child("imageRepositoryRef", required=True)
    if reference is None:
        raise spec.error("imageRepositoryRef", "a mapping")
    unit = UnitId(IMAGE_REPOSITORY, reference.name("namespace", namespace), reference.name("name"))
    reference.done()
    return unit


def _parse_rule(spec: Fields) -> Rule:
    policy = spec.child("policy", required=True)
    found = {name: policy.child(name) for name in _READ} if policy else {}
    given = [(name, fields) for name, fields in found.items() if fields is not None]
    if policy is None or len(given) != 1:
        names = " and ".join(name for name, _ in given) or None
        expected = "exactly one of semver, alphabetical and numerical"
        raise SpecError.at(spec.where, "spec.policy", found=names, expected=expected)
    policy.done()
    ((name, fields),) = given
    rule = _READ[name](fields)
    fields.done()
    return rule


def _descending(fields: Fields) -> bool:
    return bool(fields.text("order", "asc", one_of=("asc", "desc")) == "desc")


_READ: Final[Mapping[str, Callable[[Fields], Rule]]] = {
    "semver": lambda fields: SemverRule(fields.text("range")),
    "alphabetical": lambda fields: AlphabeticalRule(_descending(fields)),
    "numerical": lambda fields: NumericalRule(_descending(fields)),
}


def _parse_filter(fields: Fields | None) -> TagFilter:
    if fields is None:
        return TagFilter()
    found = TagFilter(pattern=fields.text("pattern", ""), extract=fields.text("extract", ""))
    fields.done()
    return found
