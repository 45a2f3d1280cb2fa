"""The benchmark's objects are what its page says they are."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import yaml

from benchmarks import content, images
from demo.registry import Registry
from tests.support.fault_proxy import FaultProxy
from weir.flow.tree import UnitTree
from weir.spec.documents import Document


def test_bulk_is_800_100_50_50() -> None:
    kinds = Counter(obj["kind"] for obj in content.bulk("x"))
    assert kinds == {"ConfigMap": 800, "ServiceAccount": 100, "Service": 50, "Role": 50}


def test_config_maps_are_2_kb_with_several_keys() -> None:
    maps = [obj for obj in content.bulk("x", 100) if obj["kind"] == "ConfigMap"]
    sizes = [len(yaml.safe_dump(obj)) for obj in maps]
    assert min(sizes) > 1900
    assert max(sizes) < 2400
    assert all(len(obj["data"]) >= 5 for obj in maps)
    assert len({str(obj["data"]) for obj in maps}) == len(maps)


def test_deployments_are_3_kb_and_scaled_to_zero() -> None:
    sizes = [len(yaml.safe_dump(obj)) for obj in content.deployments("x", 50)]
    assert min(sizes) > 2900
    assert max(sizes) < 3400
    assert all(obj["spec"]["replicas"] == 0 for obj in content.deployments("x", 50))


def test_another_generation_changes_every_object() -> None:
    first, second = content.bulk("x", 200), content.bulk("x", 200, generation=1)
    assert all(one != other for one, other in zip(first, second, strict=True))
    assert [one["metadata"] for one in first][:16] == [other["metadata"] for other in second][:16]


def test_the_same_number_gives_the_same_bytes() -> None:
    assert content.dump(content.bulk("x", 40)) == content.dump(content.bulk("x", 40))


def test_200_policies_follow_20_repositories_one_marker_each() -> None:
    registry = Registry("http://127.0.0.1:5000", Path())
    shop = images.Shop(registry, FaultProxy(registry.url, port=5001), 20)
    documents = [Document("a.yaml", number, item) for number, item in enumerate(shop.documents())]
    tree = UnitTree()
    tree.declare(documents)
    assert not tree.problems
    assert Counter(unit.kind for unit in tree.units) == {
        "ImageRepository": 20,
        "ImagePolicy": 200,
        "ImageUpdateAutomation": 1,
    }
    text = "".join(shop.manifests("x").values())
    assert len(set(re.findall(r'"flux-system:([a-z0-9-]+)"', text))) == 200
    assert len([item for item in yaml.safe_load_all(text) if item]) == 200
