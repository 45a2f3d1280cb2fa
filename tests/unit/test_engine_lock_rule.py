"""When the owner of a lock is proven dead, and when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from weir.edges.pulumi.lock import Lock, Process, proof_of_death
from weir.edges.pulumi.programs import is_engine

HOUR = 3600.0
NOW = 1_800_000_000.0
LOCK = Lock(path=Path("x.json"), pid=41, user="ann", host="here", since=NOW)
OURS = Lock(path=Path("x.json"), pid=41, user="ann", host="here", since=NOW, ours=True, ticks=500)
GONE = Process(alive=False)


def engine(born: float, ticks: int | None = None, name: str = "pulumi") -> Process:
    return Process(alive=True, name=name, engine=is_engine(name), born=born, ticks=ticks)


DEAD = {
    "no such process": (LOCK, GONE),
    "pid given to another program": (LOCK, engine(NOW - 10, name="postgres")),
    "pid given to a helper of pulumi": (LOCK, engine(NOW - 10, name="pulumi-language-python")),
    "pid given to a pulumi that was born long after": (LOCK, engine(NOW + 2 * HOUR)),
    "our own lock, another birth": (OURS, engine(NOW, ticks=501, name="python3")),
    "our own lock, gone": (OURS, GONE),
}
ALIVE = {
    "the owner itself": (LOCK, engine(NOW - 1)),
    "the clock was set forward by an hour since": (LOCK, engine(NOW - 1 + HOUR)),
    "the clock was set back by an hour since": (LOCK, engine(NOW - 1 - HOUR)),
    "a lock without a time": (Lock(path=Path("x"), pid=41, host="here"), engine(NOW)),
    "another host": (Lock(path=Path("x"), pid=41, host="there", since=NOW), GONE),
    "a lock that names no host": (Lock(path=Path("x"), pid=41, since=NOW), GONE),
    "a lock that names no owner": (Lock(path=Path("x")), GONE),
    "our own lock, the same birth under a changed clock": (
        OURS,
        engine(NOW + 9 * HOUR, ticks=500, name="python3"),
    ),
    "our own lock where births are unknown": (OURS, engine(NOW - 1, name="python3")),
}


@pytest.mark.parametrize("case", DEAD)
def test_proven_dead(case: str) -> None:
    assert proof_of_death(*DEAD[case], "here")


@pytest.mark.parametrize("case", ALIVE)
def test_not_proven(case: str) -> None:
    assert proof_of_death(*ALIVE[case], "here") == ""


def test_a_lock_reads_as_who_where_and_since_when() -> None:
    assert str(LOCK) == "pid 41 of ann on here since 2027-01-15T08:00:00Z"


@pytest.mark.parametrize(
    ("name", "want"),
    [("pulumi", True), (".pulumi-wrapped", True), ("pulumi-resource-kubernetes", False), ("bash", False)],
)
def test_only_the_cli_takes_locks(name: str, want: bool) -> None:
    assert is_engine(name) is want
