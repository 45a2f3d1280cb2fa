"""Unit status in the shape of `flux get`."""

from __future__ import annotations

from weir.cli.format_status import format_units
from weir.spec.identity import UnitId
from weir.spec.record import Condition, UnitRecord

HASH = "67e2c98a" + "0" * 32
READY = Condition(
    status="True", reason="ReconciliationSucceeded", message=f"Applied revision: 6.3.5@sha1:{HASH}"
)
PODINFO = UnitRecord(
    id=UnitId("Kustomization", "apps", "podinfo"),
    stack="prod",
    source="GitRepository/apps/podinfo",
    revision=f"6.3.5@sha1:{HASH}",
    ready=READY,
)
NEW = UnitRecord(id=UnitId("Kustomization", "apps", "a-new-one"), stack="prod", suspended=True)


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("\t")] for line in text.splitlines()]


def test_columns_are_those_of_flux() -> None:
    assert cells(format_units([PODINFO, NEW])) == [
        ["NAME", "REVISION", "SUSPENDED", "READY", "MESSAGE"],
        ["a-new-one", "", "True", "False", "waiting to be reconciled"],
        ["podinfo", "6.3.5@sha1:67e2c98a", "False", "True", "Applied revision: 6.3.5@sha1:67e2c98a"],
    ]


def test_columns_line_up() -> None:
    first, *rest = format_units([PODINFO, NEW]).splitlines()
    assert {line.index("\t") for line in rest} == {first.index("\t")}


def test_all_namespaces_kind_and_source() -> None:
    text = format_units([PODINFO], all_namespaces=True, with_kind=True, show_source=True)
    titles, row = cells(text)
    assert titles == ["NAMESPACE", "NAME", "REVISION", "SUSPENDED", "READY", "MESSAGE", "SOURCE"]
    assert (row[0], row[1], row[6]) == ("apps", "kustomization/podinfo", "GitRepository/apps/podinfo")


def test_sha256_in_a_message_is_cut_and_short_hex_is_not() -> None:
    ready = Condition(
        status="False", reason="x", message="digest sha256:" + "c" * 64 + " of build deadbeef12"
    )
    text = format_units([UnitRecord(id=PODINFO.id, stack="prod", ready=ready)], header=False)
    assert text.endswith("\tdigest sha256:cccccccc of build deadbeef12\n")


def test_a_message_stays_on_its_line() -> None:
    ready = Condition(status="False", reason="x", message="first\nsecond\x1b[31m")
    text = format_units([UnitRecord(id=PODINFO.id, stack="prod", ready=ready)], header=False)
    assert text.count("\n") == 1
    assert "first\\nsecond\\x1b[31m" in text


def test_nothing_to_show_without_header_is_empty() -> None:
    assert format_units([], header=False) == ""
