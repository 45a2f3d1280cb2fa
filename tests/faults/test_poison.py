"""R35, R37, S04, S07, S55: units that loop, explode or make no sense fail by name and in time; all others converge."""

from __future__ import annotations

import pytest

from tests.support.git_repo import Content, Link
from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

DEPTH = 100_000
TOP = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"


def resources(*paths: str) -> str:
    return TOP + "resources:\n" + "".join(f"- {path}\n" for path in paths)


def object_with(data: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: poison\n  namespace: default\ndata: {data}\n"


def laughs(levels: int = 12) -> str:
    """Each level names the one before ten times: ten to the twelfth values in a file of 600 bytes."""
    lines = ["l0: &l0 lol"] + [
        f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, levels + 1)
    ]
    return "\n".join([*lines, object_with(f"*l{levels}")])


def merges(levels: int = 24) -> str:
    """Merge keys that double at each level."""
    lines = ["m0: &m0 {a0: x}"]
    lines += [
        f"m{n}: &m{n}\n  <<: [*m{n - 1}, *m{n - 1}]\n  p{n}: *m{n - 1}\n  q{n}: *m{n - 1}"
        for n in range(1, levels + 1)
    ]
    return "\n".join([*lines, object_with(f"*m{levels}")])


def chain(length: int) -> dict[str, Content]:
    """Bases that build on bases."""
    files: dict[str, Content] = {
        f"poison-deep/{n}/kustomization.yaml": resources(f"../{n + 1}") for n in range(length)
    }
    files[f"poison-deep/{length}/kustomization.yaml"] = resources("missing.yaml")
    files["poison-deep/kustomization.yaml"] = resources("0")
    return files


POISONS: dict[str, dict[str, Content]] = {
    "self": {"poison-self/kustomization.yaml": resources("../poison-self")},
    "pair": {
        "poison-pair/kustomization.yaml": resources("b"),
        "poison-pair/b/kustomization.yaml": resources("c"),
        "poison-pair/b/c/kustomization.yaml": resources("../../b"),
    },
    "deep": chain(300),
    "link": {"poison-link/a.yaml": object_with("{A: '1'}"), "poison-link/loop": Link("../poison-link")},
    "laughs": {"poison-laughs/a.yaml": laughs()},
    "merges": {"poison-merges/a.yaml": merges()},
    "nested": {"poison-nested/a.yaml": object_with("[" * DEPTH + "]" * DEPTH)},
    "twice": {"poison-twice/a.yaml": object_with("{A: '1', A: '2'}")},
    "python": {
        "poison-python/a.yaml": object_with("!!python/object/apply:os.system ['touch /tmp/weir-poison']")
    },
    "zero": {"poison-zero/a.yaml": object_with("{A: 'x\0y'}")},
    "digits": {"poison-digits/a.yaml": object_with("{A: " + "9" * 1_000_000 + "}")},
    "undefined": {"poison-undefined/a.yaml": object_with("{A: '${NOBODY_KNOWS}'}")},
    "syntax": {"poison-syntax/a.yaml": object_with("{A: [")},
    "absent": {},
    "outside": {"poison-outside/kustomization.yaml": resources("../../../../../../etc/passwd")},
}
"""What each poisoned unit's folder holds. A duplicated key, for one, is no reason to crash: it must be told."""

LENIENT = frozenset({"link"})
"""Units that may be either refused or applied without the poison."""


def poisoned(world: World) -> None:
    world.commit({"good/a.yaml": [config_map(world.namespace, "good", A="1")]})
    files: dict[str, Content] = {}
    for content in POISONS.values():
        files |= content
    world.repo.commit(files, "poison")
    units = [
        world.unit(
            f"poison-{name}",
            f"./poison-{name}",
            postBuild={"substitute": {"a": "b"}},
            targetNamespace=world.namespace,
        )
        for name in POISONS
    ]
    slow = world.unit("poison-duration", "./good", timeout="10000000000h")
    half = world.unit("poison-half", "./good")
    half["spec"]["interval"] = "1"
    world.units(world.unit("good", "./good"), *units, slow, half)


def test_every_poisoned_unit_is_named_and_the_good_one_converges(world: World) -> None:
    poisoned(world)
    failed = world.stack.up(timeout=200).must_fail()
    assert world.live("v1", "ConfigMap", "good")["data"] == {"A": "1"}
    assert "Traceback" not in failed.out
    unnamed = [name for name in POISONS if name not in LENIENT and f"poison-{name}" not in failed.out]
    assert unnamed == []
    assert "poison-duration" in failed.out
    assert "poison-half" in failed.out
    assert "NOBODY_KNOWS" in failed.out
    costs = {str(item): item for item in world.stack.timings()}
    assert failed.seconds < 60, f"no poison costs more than its own bounded time: {list(costs)}"
    made = {key[3] for key in world.checker.owned()} - {"good", "poison"}
    assert made == set()
    world.units(good="./good")
    world.stack.up().must()
    world.judge(good="good")


def test_one_undefined_variable_names_variable_and_file(world: World) -> None:
    ns = world.namespace
    world.commit({"web/deep/part.yaml": [config_map(ns, "web", A="${first} ${second:=two} ${third}")]})
    world.units(world.unit("web", "./web", postBuild={"substitute": {"first": "1"}}))
    failed = world.stack.up().must_fail()
    assert "third" in failed.out
    assert f"ConfigMap/{ns}/web" in failed.out or "part.yaml" in failed.out
    assert world.gone("v1", "ConfigMap", "web")
    world.units(world.unit("web", "./web", postBuild={"substitute": {"first": "1", "third": "3"}}))
    world.stack.up().must()
    assert world.live("v1", "ConfigMap", "web")["data"] == {"A": "1 two 3"}
