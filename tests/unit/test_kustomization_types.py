"""Numbers and booleans in a unit's own kustomization become texts as Flux makes them; expected values are Go's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.property.strategies import MemoryTree
from weir.render.closure import close
from weir.render.layout import Layout
from weir.render.top import find_top

GO_TEXT = """
1.25=1.25 1.10=1.1 1.=1 .5=0.5 .1_0=0.1 -1.50=-1.5 -0.0=-0 0=0 -5=-5 +5=5 20240115=20240115 1_000=1000 123456.5=123456.5
0x1F=31 010=8 0o17=15 0b11=3 1e3=1000 123e2=12300 1e5=100000 100000.0=100000 1e6=1e+06 1000000.0=1e+06 1e21=1e+21
1234567.5=1.2345675e+06 0.0001=0.0001 0.00001=1e-05 1e-7=1e-07 0.30000000000000004=0.3 9007199254740993.0=9.007199e+15
9223372036854775808=9223372036854775808 12345678901234567890=12345678901234567890 18446744073709551616=1.8446744e+19
123456789012345678901234567890=1.2345679e+29 1.5e300=+Inf -1.5e300=-Inf 5e-324=0 1e400=1e400 12e4567=12e4567 v1=v1
true=true True=true FALSE=false yes=true No=false on=true OFF=false y=true n=false 1.2.3=1.2.3 1:30=1:30
2024-01-15=2024-01-15
"""
GO = GO_TEXT.split()
"""`as written=as text`, from sigs.k8s.io/yaml 1.6.0 reading into a map of texts."""


def top(text: str) -> dict[str, Any]:
    return find_top(Layout(MemoryTree({"kustomization.yaml": text})), "").data


@pytest.mark.parametrize("pair", GO)
def test_a_value_becomes_the_text_that_go_makes_of_it(pair: str) -> None:
    written, _, expected = pair.partition("=")
    assert top(f"commonAnnotations: {{a: {written}}}\n")["commonAnnotations"] == {"a": expected}
    assert top(f"commonAnnotations: {{a: '{written}'}}\n")["commonAnnotations"] == {"a": written}


TEXTS = """
namespace: 1
namePrefix: 1
nameSuffix: true
openapi: {version: 1}
metadata: {name: 1, namespace: 1, labels: {a: 1}, annotations: {a: 1}}
commonLabels: {canary: true}
commonAnnotations: {rev: 5}
labels: [{pairs: {a: 1.25}, fields: [{group: 1, version: 1, kind: 1, path: 1}]}]
images: [{name: 1, newName: 1, newTag: 20240115, digest: 1, tagSuffix: 1}]
imageTags: [{name: 1, newTag: 1.10}]
patches: [{path: 1, patch: 1, target: {group: 1, version: 1, kind: 1, name: 1, namespace: 1, labelSelector: 1}}]
patchesJson6902: [{path: 1, target: {name: 1, annotationSelector: 1}}]
patchesStrategicMerge: [1]
replacements:
  - path: 1
    sourceValue: 1
    source: {kind: 1, name: 1, fieldPath: 1, options: {delimiter: 1, encoding: 1}}
    targets: [{select: {name: 1}, reject: [{name: 1}], fieldPaths: [1], options: {delimiter: 1}}]
replicas: [{name: 1}]
vars: [{name: 1, objref: {apiVersion: 1, kind: 1, name: 1}, fieldref: {fieldPath: 1}}]
sortOptions: {order: 1, legacySortOptions: {orderFirst: [1], orderLast: [1]}}
configMapGenerator: [{name: 1, namespace: 1, literals: [1], files: [1], envs: [1], env: 1, options: {labels: {a: 1}}}]
secretGenerator: [{name: 1, type: 1, behavior: 1, options: {annotations: {a: 1}}}]
generatorOptions: {labels: {a: 1}, annotations: {a: 1.0}}
resources: [1]
bases: [1]
components: [1]
crds: [1]
configurations: [1]
generators: [1]
transformers: [1]
validators: [1]
buildMetadata: [1]
"""


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def test_every_text_field_takes_numbers_and_booleans() -> None:
    data = top(TEXTS)
    assert {leaf for leaf in leaves(data) if type(leaf) is not str} == set()
    assert data["images"][0]["newTag"] == "20240115"
    assert data["commonLabels"] == {"canary": "true"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("replicas: [{name: a, count: 3}]", [{"name": "a", "count": 3}]),
        ("replicas: [{name: a, count: 3.0}]", [{"name": "a", "count": 3}]),
        (
            "labels: [{includeSelectors: true, includeTemplates: yes}]",
            [{"includeSelectors": True, "includeTemplates": True}],
        ),
        (
            "generatorOptions: {disableNameSuffixHash: true, immutable: no}",
            {"disableNameSuffixHash": True, "immutable": False},
        ),
        ("patches: [{options: {allowNameChange: true}}]", [{"options": {"allowNameChange": True}}]),
        ("replacements: [{source: {options: {index: 1}}}]", [{"source": {"options": {"index": 1}}}]),
        ("labels: [{pairs: [1]}]", [{"pairs": [1]}]),
        ("commonLabels: 5", 5),
        ("commonLabels: {a: null}", {"a": None}),
        ("commonLabels: {yes: 1, 2: 3}", {"true": "1", "2": "3"}),
    ],
)
def test_other_fields_keep_their_types(text: str, expected: object) -> None:
    (found,) = top(f"{text}\n").values()
    assert json.dumps(found) == json.dumps(expected)


def test_a_nested_kustomization_stays_as_it_is_written() -> None:
    content = {
        "app/kustomization.yaml": "resources: [../base]\nimages: [{name: a, newTag: 1.10}]\n",
        "base/kustomization.yaml": "images: [{name: a, newTag: 1.10}]\ncommonLabels: {a: yes}\n",
    }
    layout = Layout(MemoryTree(content))
    written = close(layout, find_top(layout, "app")).written
    assert json.loads(written["app/kustomization.yaml"])["images"] == [{"name": "a", "newTag": "1.1"}]
    base = json.loads(written["base/kustomization.yaml"])
    assert base == {"images": [{"name": "a", "newTag": 1.1}], "commonLabels": {"a": "yes"}}


def test_field_names_count_in_any_letter_case() -> None:
    written = """
NamePrefix: x-
IMAGES: [{Name: a, newtag: 1.10}]
Patches: [{PATCH: "kind: X", Target: {Kind: Deployment}, Options: {allowNameChange: true}}]
Labels: [{Pairs: {Tier: 1}, includeselectors: true}]
CommonLabels: {Name: a}
"""
    assert top(written) == {
        "namePrefix": "x-",
        "images": [{"name": "a", "newTag": "1.1"}],
        "patches": [
            {"patch": "kind: X", "target": {"kind": "Deployment"}, "options": {"allowNameChange": True}}
        ],
        "labels": [{"pairs": {"Tier": "1"}, "includeselectors": True}],
        "commonLabels": {"Name": "a"},
    }
