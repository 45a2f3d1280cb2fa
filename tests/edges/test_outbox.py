"""The outbox on a real disk: private, bounded, shared by processes, whole after damage."""

from __future__ import annotations

import multiprocessing
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.events import event
from weir.edges.outbox import Outbox
from weir.notify.rate import INTERVAL
from weir.spec.identity import UnitId

NOW = 1_800_000_000.0


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """An empty one."""
    return Outbox(tmp_path / "box")


def put(outbox: Outbox, *messages: str, at: float = NOW, **more: Any) -> int:
    return outbox.put([(event(one, **more), {"team": "a"}) for one in messages], at)


def test_what_is_put_comes_out_whole_and_in_order(outbox: Outbox) -> None:
    assert put(outbox, "b", "a") == 2
    entries = outbox.entries()
    assert [one.event for one in entries] == [event("b"), event("a")]
    assert entries[0].labels == {"team": "a"}
    assert entries[0].since == NOW


def test_files_and_folders_are_private_under_any_umask(outbox: Outbox, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        put(outbox, "a")
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "box").rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    entries = [mode for path, mode in modes.items() if path.parent.name == "entries" or path.name == "state"]
    assert set(entries) == {0o600}


def test_the_same_event_is_taken_once(outbox: Outbox) -> None:
    assert put(outbox, "a") == 1
    assert put(outbox, "a", at=NOW + 1) == 0
    for entry in outbox.entries():
        outbox.remove(entry)
    assert put(outbox, "a", at=NOW + 2) == 0


def test_what_repeats_is_taken_again_after_five_minutes(outbox: Outbox) -> None:
    assert put(outbox, "a") == 1
    later = "2026-11-21T10:04:00Z"
    assert outbox.put([(event("a", at=later), {})], NOW + INTERVAL - 1) == 0
    assert outbox.put([(event("a", at=later), {})], NOW + INTERVAL + 1) == 1


def test_another_revision_or_unit_is_another_event(outbox: Outbox) -> None:
    assert put(outbox, "a") == 1
    assert put(outbox, "a", metadata={"revision": "main@sha1:other"}) == 1
    assert put(outbox, "a", unit=UnitId("Kustomization", "flux-system", "other")) == 1


def test_a_clock_that_was_set_back_does_not_silence_anything_for_long(outbox: Outbox) -> None:
    assert put(outbox, "a", at=NOW + 86400) == 1
    assert outbox.put([(event("a", at="2026-11-20T10:00:00Z"), {})], NOW) == 1


def test_over_the_bound_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, max_entries=3)
    put(outbox, *"abcde")
    assert [one.event.message for one in outbox.entries()] == ["c", "d", "e"]
    assert outbox.take_dropped() == 2
    assert outbox.take_dropped() == 0


def test_the_bytes_are_bounded_too(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, max_bytes=10_000)
    for number in range(10):
        put(outbox, f"{number}" + "x" * 3000)
    assert sum(path.stat().st_size for path in (tmp_path / "entries").iterdir()) <= 10_000
    assert outbox.entries()[-1].event.message.startswith("9")


def test_damaged_entries_are_counted_and_leave_the_others_alone(outbox: Outbox, tmp_path: Path) -> None:
    put(outbox, "a", "b")
    first = min((tmp_path / "box" / "entries").iterdir())
    first.write_bytes(b"{")
    assert [one.event.message for one in outbox.entries()] == ["b"]
    assert outbox.take_dropped() == 1


def test_a_damaged_memory_is_as_none(outbox: Outbox, tmp_path: Path) -> None:
    put(outbox, "a")
    (tmp_path / "box" / "state").write_bytes(b"[]")
    assert put(outbox, "b") == 1


def test_an_entry_that_was_dropped_meanwhile_does_not_come_back(outbox: Outbox) -> None:
    put(outbox, "a")
    (entry,) = outbox.entries()
    outbox.remove(entry)
    outbox.update(replace(entry, attempts=3))
    alert, provider = UnitId("Alert", "x", "y"), UnitId("Provider", "x", "y")
    outbox.divide(entry, [entry.to(alert, provider)])
    assert outbox.entries() == ()


def _put_many(folder: Path, worker: int) -> None:
    outbox = Outbox(folder)
    for number in range(20):
        # every worker puts the same ones, and some of its own
        put(outbox, f"shared {number}", f"{worker} {number}")


def test_processes_at_once_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_put_many, args=(tmp_path, worker)) for worker in range(3)]
    for one in workers:
        one.start()
    for one in workers:
        one.join(60)
    messages = [one.event.message for one in Outbox(tmp_path).entries()]
    wanted = {f"shared {n}" for n in range(20)} | {f"{w} {n}" for w in range(3) for n in range(20)}
    assert sorted(messages) == sorted(wanted)
