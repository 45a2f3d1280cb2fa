"""Calls at a later time from one thread: when they come, that cancelled ones do not, and that none costs a thread."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from weir.edges.http.alarm import Alarms

_LONG = 600.0
_PATIENCE = 10.0


def calls() -> tuple[queue.SimpleQueue[str], Callable[[str], Callable[[], None]]]:
    """What was called, and what makes a call that says so."""
    made: queue.SimpleQueue[str] = queue.SimpleQueue()
    return made, lambda name: lambda: made.put(name)


def test_calls_come_in_the_order_of_their_times_and_not_before() -> None:
    made, call = calls()
    alarms, began = Alarms(), time.monotonic()
    alarms.after(0.2, call("second"))
    alarms.after(0.1, call("first"))
    assert [made.get(timeout=_PATIENCE), made.get(timeout=_PATIENCE)] == ["first", "second"]
    assert time.monotonic() - began >= 0.2


def test_an_early_call_comes_although_a_late_one_is_waited_for() -> None:
    made, call = calls()
    alarms = Alarms()
    alarms.after(_LONG, call("late"))
    time.sleep(0.05)
    alarms.after(0.05, call("early"))
    assert made.get(timeout=_PATIENCE) == "early"
    assert made.empty()


def test_a_cancelled_call_never_comes_and_the_one_behind_it_does() -> None:
    made, call = calls()
    alarms = Alarms()
    alarms.after(0.1, call("cancelled")).cancel()
    alarms.after(0.2, call("wanted"))
    assert made.get(timeout=_PATIENCE) == "wanted"
    assert made.empty()


def test_a_call_comes_after_a_time_in_which_nothing_was_to_come() -> None:
    made, call = calls()
    alarms = Alarms()
    alarms.after(0.01, call("one"))
    assert made.get(timeout=_PATIENCE) == "one"
    time.sleep(0.05)
    alarms.after(0.01, call("two"))
    assert made.get(timeout=_PATIENCE) == "two"


def test_however_many_share_one_thread() -> None:
    alarms, before = Alarms(), threading.active_count()
    for _ in range(100):
        alarms.after(_LONG, lambda: None).cancel()
    assert threading.active_count() == before + 1
