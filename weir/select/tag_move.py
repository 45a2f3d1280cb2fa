"""Whether an image moves from the tag in use to the one that its policy chooses.

Flux writes what the policy chooses, whatever that is. Here an image moves only forward in the policy's own order,
unless the policy says otherwise, and only to tags that are old enough; a tag in use that is gone from the registry is
reported, or replaced by the newest one that is there. See `weir.spec.image_policy` for the annotations.

A tag in use that the policy cannot compare, because `filterTags` does not let it through or it is no version, does
not hold the image back: it belongs to another line of tags. For build dates it does, as in Flux 1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from weir.select.tags import TagPolicy
from weir.spec.duration import format_duration
from weir.spec.image_policy import ALLOW_DOWNGRADE, MISSING_TAG, MoveRules, Reflection

Verdict = Literal["first", "current", "move", "downgrade", "rollback", "hold"]
"""Nothing was in use; in use already; forward; back, as allowed; back, as the tag in use is gone; stay although
something is wrong or waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What happens to an image."""

    tag: str
    """The tag that should be in use from now on; empty when none is and none may be."""
    verdict: Verdict
    gone: bool = False
    """Whether the tag in use is not in the registry."""
    waiting: str = ""
    """The tag that would be chosen if it were old enough."""
    reason: str = ""
    """For people, and only for what is not as usual: one sentence."""

    @property
    def moves(self) -> bool:
        """Whether something has to be written."""
        return self.verdict not in ("current", "hold")


@dataclass(frozen=True, slots=True)
class Ages:
    """When images were built, in epoch seconds, and what time it is.

    `created` is asked for one tag after the other, from the one that the policy prefers, until one is old enough, and
    only when there is a minimum age: a mapping may read on demand. 0 or none stands for a date that is not known.
    """

    created: Mapping[str, float]
    now: float

    def old_enough(self, tag: str, seconds: float) -> bool:
        """Whether a tag was built that long ago; one without a date was not."""
        born = self.created.get(tag, 0.0)
        return 0 < born <= self.now - seconds


NO_AGES: Final = Ages(MappingProxyType({}), 0.0)
"""For rules without a minimum age."""


def decide(
    policy: TagPolicy, tags: Collection[str], current: str, rules: MoveRules, ages: Ages = NO_AGES
) -> Decision:
    """What happens to an image that runs `current` (empty for nothing yet) when these tags are there.

    `tags` is what the exclusion list leaves, so an excluded tag counts as gone, and it is complete: a list that could
    not be read to its end must not get here.
    """
    gone = bool(current) and current not in tags
    back = rules.allow_downgrade or (gone and rules.missing_tag == "rollback")
    best, waiting = _best(policy, tags, current, rules, ages, back=back)
    verdict, problem = _judge(policy, best, current, rules, gone=gone)
    problems = [problem]
    if waiting:
        problems.append(f"{waiting} waits: it is not known to be {format_duration(rules.minimum_age)} old")
    elif not best:
        problems.append(str(policy.nothing(len(tags))))
    return Decision(
        tag=current if verdict == "hold" else best,
        verdict=verdict,
        gone=gone,
        waiting=waiting,
        reason="; ".join(filter(None, problems)),
    )


def reflected_digest(mode: Reflection, found: str, before: str) -> str:
    """The digest to write for a tag that has digest `found`; empty for none.

    `before` is the digest written for the same image and tag until now, empty when there is none.
    Rule: https://fluxcd.io/flux/components/image/imagepolicies/#digest-reflection-policy
    """
    return {"Never": "", "IfNotPresent": before or found, "Always": found}[mode]


def _best(
    policy: TagPolicy, tags: Collection[str], current: str, rules: MoveRules, ages: Ages, *, back: bool
) -> tuple[str, str]:
    """The tag to use, empty for none, and the one that would be used if it were old enough.

    The age of a tag that would mean going back is not looked at unless that is allowed.
    """
    if rules.minimum_age <= 0:
        return policy.latest(tags) or "", ""
    waiting = ""
    for tag in policy.ranked(tags):
        held = bool(current) and not back and policy.prefers(tag, current) is False
        if tag == current or held or ages.old_enough(tag, rules.minimum_age):
            return tag, waiting
        waiting = waiting or tag
    return "", waiting


def _judge(
    policy: TagPolicy, best: str, current: str, rules: MoveRules, *, gone: bool
) -> tuple[Verdict, str]:
    lost = f"{current} is gone from the registry" if gone else ""
    if not best:
        return "hold", lost
    if not current or best == current:
        return "current" if current else "first", ""
    forward = policy.prefers(best, current)
    if forward or (forward is None and not policy.order.by_date):
        return "move", lost
    if gone and rules.missing_tag == "rollback":
        return "rollback", lost
    if rules.allow_downgrade:
        return "downgrade", lost
    return "hold", _why_held(best, current, known=forward is not None, gone=gone)


def _why_held(best: str, current: str, *, known: bool, gone: bool) -> str:
    if gone:
        back = f'push it again, or annotate with {MISSING_TAG}: "rollback" to use {best}'
        return f"{current} is gone from the registry; {back}"
    allow = f'annotate with {ALLOW_DOWNGRADE}: "true" to use {best}'
    if known:
        return f"{current} is in use and {best}, which the policy chooses, is lower; {allow}"
    return f"the build date of {current}, which is in use, is not known; {allow}"
