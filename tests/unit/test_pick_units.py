"""Which units a person means."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime

import pytest

from weir.cli._kinds import read_selection
from weir.cli._units import chosen_units, hold_text, pick
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord

KNOWN = [
    UnitRecord(id=UnitId(kind, namespace, name), stack="prod")
    for kind, namespace, name in [
        ("Kustomization", "apps", "web"),
        ("Kustomization", "infra", "web"),
        ("Kustomization", "apps", "api"),
        ("GitRepository", "apps", "web"),
        ("ImagePolicy", "apps", "web"),
    ]
]


def picked(*words: str, namespace: str | None = None) -> list[str]:
    return [str(record.id) for record in pick(read_selection("weir suspend", words, namespace), KNOWN)]


def test_names_are_taken_in_the_order_they_are_given() -> None:
    assert picked("kustomization", "web", "api", namespace="apps") == [
        "Kustomization/apps/web",
        "Kustomization/apps/api",
    ]
    assert picked("source", "git", "web") == ["GitRepository/apps/web"]
    assert picked("image", "policy", "web") == ["ImagePolicy/apps/web"]


def test_no_name_means_all_of_the_kind() -> None:
    assert picked("ks", namespace="apps") == ["Kustomization/apps/api", "Kustomization/apps/web"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ks", "web"), "found 'web in apps and infra', expected one unit; choose a namespace with -n"),
        (
            ("ks", "worker"),
            "known are Kustomization/apps/api, Kustomization/apps/web, Kustomization/infra/web",
        ),
        (("image", "repository", "web"), "spec.suspend in Git"),
        (("alert", "web"), "spec.suspend in Git"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_cannot_be_meant_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        picked(*words)
    assert said in str(caught.value)


def test_what_keeps_no_record_needs_no_reconciliation() -> None:
    args = Namespace(verb="reconcile", kind="receiver", names=["push"], namespace=None)
    with pytest.raises(SpecError, match="every run and every look of the watcher reads others anew"):
        chosen_units(args, KNOWN)


def test_suspension_says_who_when_and_why() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert hold_text("ann@box", "incident 7", moment) == "ann@box, 2026-01-02T03:04:05Z: incident 7"
    assert hold_text("ann@box", "", moment) == "ann@box, 2026-01-02T03:04:05Z"
