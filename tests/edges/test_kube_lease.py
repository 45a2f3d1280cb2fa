"""Leases on a real API server: one holder at a time, whatever the others do, and whichever answers are lost."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.kube import MERGE, wait_for
from tests.support.kube import Kube as Judge
from weir.edges.holder import is_gone, own_identity, shown
from weir.edges.kube.client import Kube
from weir.edges.kube.kubeconfig import load
from weir.edges.kube.lease import Lease, lease_name
from weir.spec.errors import ClusterError

LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/{}"


@dataclass
class Clock:
    """Time that passes when the test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class Unhurried(Kube):
    """A client whose calls may take as long as the machine needs: time is the clock's."""

    def in_a_hurry(self, seconds: float) -> Kube:
        return super().in_a_hurry(20 * seconds)


@dataclass
class Place:
    """Leases of one name in one namespace, seen by several runners with one clock."""

    kubeconfig: Path
    namespace: str
    judge: Judge
    clock: Clock = field(default_factory=Clock)
    kube: Kube | None = None

    def lease(self, holder: str, name: str = "weir-run-test", kube: Kube | None = None) -> Lease:
        self.kube = self.kube or Unhurried(load(str(self.kubeconfig)))
        return Lease(kube or self.kube, self.namespace, name, holder, clock=self.clock)

    def live(self, name: str = "weir-run-test") -> dict[str, Any]:
        found: dict[str, Any] = self.judge.request("GET", LEASES.format(self.namespace, name))["spec"]
        return found


@pytest.fixture
def place(kubeconfig: Path, kube: Judge, namespace: str) -> Place:
    return Place(kubeconfig, namespace, kube)


def test_the_first_takes_it_the_second_does_not_until_it_is_released(place: Place) -> None:
    one, two = place.lease("one"), place.lease("two")
    assert one.try_acquire()
    assert not two.try_acquire()
    assert (one.holder(), two.holder(), two.rival) == ("one", "one", "one")
    assert one.renew()
    assert not two.renew()
    one.release()
    assert one.remaining() == 0
    assert two.holder() == ""
    assert two.try_acquire()
    assert not one.renew()
    live = place.live()
    assert live["holderIdentity"] == "two"
    assert live["leaseDurationSeconds"] == 15
    assert live["acquireTime"] <= live["renewTime"]


def test_a_silent_holder_is_replaced_after_the_whole_duration_and_stops_before_it(place: Place) -> None:
    one, two = place.lease("one"), place.lease("two")
    assert one.try_acquire()
    assert not two.try_acquire()
    assert 0 < one.remaining() < two.patience() == 15
    place.clock.now += one.remaining()
    assert one.remaining() == 0
    assert not two.try_acquire()
    place.clock.now += two.patience()
    assert two.try_acquire()
    assert not one.renew()
    assert one.remaining() == 0


def test_a_renewed_lease_is_counted_from_the_renewal(place: Place) -> None:
    one, two = place.lease("one"), place.lease("two")
    assert one.try_acquire()
    for _ in range(4):
        assert not two.try_acquire()
        place.clock.now += 10
        assert one.renew()
    assert not two.try_acquire()


def test_times_in_the_lease_are_for_people_only(place: Place) -> None:
    one, two = place.lease("one"), place.lease("two")
    assert one.try_acquire()
    past = {
        "spec": {"renewTime": "2001-01-01T00:00:00.000000Z", "acquireTime": "2001-01-01T00:00:00.000000Z"}
    }
    place.judge.request("PATCH", LEASES.format(place.namespace, one.name), past, MERGE)
    assert not two.try_acquire()


def test_each_hold_has_a_higher_token(place: Place) -> None:
    one, two = place.lease("one"), place.lease("two")
    tokens = []
    for lease, other in [(one, two), (two, one), (one, two)]:
        assert lease.try_acquire()
        assert lease.renew()
        tokens.append(lease.token)
        assert not other.try_acquire()
        lease.release()
    assert one.try_acquire()
    tokens.append(one.token)
    assert not two.try_acquire()
    place.clock.now += 15
    assert two.try_acquire()
    tokens.append(two.token)
    assert tokens == sorted(set(tokens))


def test_a_lease_of_another_program_without_a_holder_is_free(place: Place) -> None:
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "weir-run-test"},
        "spec": {"leaseTransitions": 7},
    }
    place.judge.request("POST", LEASES.format(place.namespace, ""), body)
    one = place.lease("one")
    assert one.try_acquire()
    assert one.token == 8


def test_the_namespace_is_made_with_the_first_lease(place: Place) -> None:
    place.namespace += "-records"
    assert place.lease("one").try_acquire()
    assert place.live()["holderIdentity"] == "one"
    place.judge.delete("v1", "Namespace", place.namespace)


def test_twelve_at_once_are_one_holder(place: Place) -> None:
    for name in ("fresh", "free"):
        if name == "free":
            first = place.lease("first", name)
            assert first.try_acquire()
            first.release()
        runners = [place.lease(f"runner-{number}", name) for number in range(12)]
        threads = [threading.Thread(target=one.try_acquire) for one in runners]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [one.identity for one in runners if one.remaining()] == [place.live(name)["holderIdentity"]]


@dataclass
class Late:
    """A client whose writes wait on the way as long as `slow` is set."""

    kube: Kube
    slow: bool = False
    waiting: list[Callable[[], Any]] = field(default_factory=list)

    def in_a_hurry(self, seconds: float) -> Late:
        self.kube = self.kube.in_a_hurry(seconds)
        return self

    def request(self, method: str, *rest: Any) -> Any:
        if self.slow and method != "GET":
            self.waiting.append(lambda: self.kube.request(method, *rest))
            raise ClusterError("no answer yet")
        return self.kube.request(method, *rest)

    def arrive(self) -> None:
        """All that waits, refused or not."""
        self.slow = False
        for write in self.waiting:
            with contextlib.suppress(ClusterError):
                write()


def test_a_release_that_arrives_late_frees_nothing(place: Place) -> None:
    wire = Late(Unhurried(load(str(place.kubeconfig))))
    one, two = place.lease("one", kube=cast("Kube", wire)), place.lease("two")
    assert one.try_acquire()
    wire.slow = True
    with pytest.raises(ClusterError):
        one.release()
    assert one.remaining() == 0
    wire.slow = False
    assert one.try_acquire()
    wire.arrive()
    assert not two.try_acquire()
    assert one.renew()


def test_a_takeover_that_arrives_late_takes_nothing(place: Place) -> None:
    wire = Late(Unhurried(load(str(place.kubeconfig))))
    one, two, three = place.lease("one"), place.lease("two", kube=cast("Kube", wire)), place.lease("three")
    assert one.try_acquire()
    assert not two.try_acquire()
    assert not three.try_acquire()
    place.clock.now += 15
    wire.slow = True
    with pytest.raises(ClusterError):
        two.try_acquire()
    assert three.try_acquire()
    wire.arrive()
    assert place.live()["holderIdentity"] == "three"
    assert three.renew()
    assert not two.try_acquire()


@dataclass
class Lossy:
    """A client that loses requests, or answers, or delivers a write only later."""

    kube: Kube
    dice: random.Random
    late: list[Callable[[], Any]] = field(default_factory=list)

    def in_a_hurry(self, seconds: float) -> Lossy:
        self.kube = self.kube.in_a_hurry(seconds)
        return self

    def request(self, method: str, *rest: Any) -> Any:
        fate = self.dice.randrange(12)
        if fate == 0:
            raise ClusterError("lost on the way there")
        if fate == 1 and method != "GET":
            self.late.append(lambda: self.kube.request(method, *rest))
            raise ClusterError("on the way for long")
        answer = self.kube.request(method, *rest)
        if fate == 2:
            raise ClusterError("lost on the way back")
        return answer

    def deliver(self) -> None:
        """What was on the way arrives; nobody waits for the answer."""
        if self.late:
            with contextlib.suppress(ClusterError):
                self.late.pop(self.dice.randrange(len(self.late)))()


@pytest.mark.parametrize("seed", [1, 2])
def test_never_two_holders_in_two_hundred_random_steps(place: Place, seed: int) -> None:
    """Whoever says that he holds it is alone in that, and holds tell their order by their tokens."""
    dice = random.Random(seed)
    base = Unhurried(load(str(place.kubeconfig)))
    wires = [Lossy(base, dice) for _ in range(3)]
    runners = [place.lease(f"runner-{n}", kube=cast("Kube", wire)) for n, wire in enumerate(wires)]
    held: list[tuple[str, int]] = []
    for step in range(200):
        runner = dice.choice(runners)
        act = dice.choice(["acquire", "acquire", "renew", "release", "deliver", "pass", "pass"])
        try:
            if act == "acquire":
                runner.try_acquire()
            elif act == "renew" and runner.remaining():
                runner.renew()
            elif act == "release":
                runner.release()
            elif act == "deliver":
                dice.choice(wires).deliver()
            else:
                place.clock.now += dice.choice([1, 3, 6, 11])
        except ClusterError:
            pass
        holders = [one for one in runners if one.remaining() > 0]
        assert len(holders) <= 1, f"seed {seed}, step {step}: {[one.identity for one in holders]}"
        held += [(one.identity, one.token) for one in holders if (one.identity, one.token) not in held[-1:]]
    assert len({name for name, _ in held}) == 3, "everybody had it once"
    order = [token for _, token in held]
    assert order == sorted(order), held
    owner = {token: name for name, token in held}
    assert all(owner[token] == name for name, token in held), "a token of two holders"


def test_a_holder_proven_dead_is_replaced_at_once(place: Place) -> None:
    code = "import sys; from weir.edges.holder import own_identity; print(own_identity(), flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        identity = process.stdout.readline().strip()
        dead, two = place.lease(identity), place.lease("two")
        assert dead.try_acquire()
        assert not two.try_acquire()
        process.kill()
        wait_for(two.try_acquire, seconds=10)
    assert is_gone(identity)


def test_only_what_is_certain_is_proof_of_death() -> None:
    mine = own_identity()
    host, pid, proof = mine.split("/")
    place, born, word = proof.split("-")
    assert not is_gone(mine)
    assert is_gone(f"{host}/{pid}/{place}-{int(born) + 1}-{word}"), "the pid belongs to another process now"
    elsewhere = [
        f"{host}/{pid}/{place[:-1]}0-{int(born) + 1}-{word}0",
        f"{host}/{pid}/-{int(born) + 1}-{word}",
        f"{host}/x/{proof}",
        "other-program_1234",
        "",
    ]
    assert [identity for identity in elsewhere if is_gone(identity)] == []
    assert own_identity() != mine


def test_a_holder_is_shown_on_one_bounded_line() -> None:
    assert shown(own_identity()) == f"pid {os.getpid()} on {os.uname().nodename}"
    assert shown("other\x1b[2J\nprogram") == "other?[2J?program"
    assert len(shown("x" * 1000)) == 100


def test_names_of_leases_are_names_of_objects() -> None:
    assert lease_name("run", "production") == "weir-run-production"
    odd = [lease_name("run", name) for name in ("Prod", "prod_1", "a" * 300, "prod.")]
    assert len(set(odd)) == 4
    assert all(name.replace("-", "").isalnum() and name == name.lower() and len(name) < 63 for name in odd)
