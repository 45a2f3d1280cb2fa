"""The real kustomize: reading plain files ourselves gives what it gives, and what it says stays fit to be shown."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.strategies import OBJECTS, MemoryTree, config_map, kustomization
from weir.edges.build_cache import BuildCache
from weir.edges.kustomize import build
from weir.flow.render import Rendered, render_unit
from weir.render.closure import close
from weir.render.emit import to_yaml
from weir.render.layout import Layout
from weir.render.plain import read_plain
from weir.render.top import find_top
from weir.spec.documents import load_yaml
from weir.spec.errors import RenderError, StopRequested

HEAD = "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: %s}\nspec:\n"
A, B, C = (HEAD % name for name in "abc")
ITEM = "{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}}"
LOCAL = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: l, annotations: {config.kubernetes.io/local-config: %s}}\n"
LOCAL_ON, LOCAL_OFF, LOCAL_EMPTY = LOCAL % '"true"', LOCAL % '"false"', LOCAL % '""'
BINDING = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: r}\n"


def ordered(objects: Any) -> list[bytes]:
    return sorted(orjson.dumps(item, option=orjson.OPT_SORT_KEYS) for item in objects)


def both(content: dict[str, Any], scratch: Path) -> tuple[list[bytes] | None, list[bytes]]:
    """What we read ourselves, None when we leave it to kustomize, and what kustomize gives."""
    tree = MemoryTree(content)
    layout = Layout(tree)
    closure = close(layout, find_top(layout, ""))
    assert closure.resources is not None
    plain = read_plain(tree, closure.resources)
    built = [value for value in load_yaml(build(closure, tree, scratch_root=scratch), "x").values if value]
    return None if plain is None else ordered(item.data for item in plain), ordered(built)


SCALAR_TEXT = """
y n yes No on OFF true True TRUE ~ null Null NULL 010 0o17 0x1F 0b11 1_000 1e3 1.0 1. .5 -0.0 +5 1.10 1:30 190:20:30
12345678901234567890 123456789012345678901234567890 1.5e300 0.1 1e-7 -1 = <<x 08 09.5 0.0 1e21 1e20 1e18 1e19 0x 1__0
_1 1_ +.5 1e e1 1e+3 1E3 -0b11 -0x1F -0o17 0o8 0B11 0X1f 0O17 . .. -- -x +1.5 0x_1 0_x1 1e400 -.5 -.5e3 .5e -5_ 00 0 -0
007 +010 0777777777777777777777777 9007199254740993 18446744073709551615 18446744073709551616 -9223372036854775808
-9223372036854775809 1e-400 123e-2 3.0e0 1_0.5 1_0e1 2e0 .1_0 .e1 0. +0 +0x1f 2001-13-145 v1.0 1.2.3 0.1.0 1,2 $x
"""
SCALARS = tuple(SCALAR_TEXT.split())
SAME = {
    "scalars": {"r.yaml": A + "".join(f"  k{i}: {text}\n  l{i}: [{text}]\n" for i, text in enumerate(SCALARS))},
    "explicit tags": {"r.yaml": A + '  a: !!str 12\n  b: !!int "12"\n  c: !!float 1\n  d: ! 1\n'},
    "binary": {"r.yaml": A + "  a: !!binary aGVsbG8=\n"},
    "anchors": {"r.yaml": A + "  a: &x {k: 1, l: [1]}\n  b: *x\n  c: {<<: *x, k: 2}\n  d: {<<: [*x, {k: 9, m: 3}]}\n"},
    "several documents": {"r.yaml": f"---\n# c\n---\n{A}  a: 1\n---\n\n--- # d\n{B}  a: 2\n---\n"},
    "empty file": {"r.yaml": "", "s.yaml": A + "  a: 1\n"},
    "only comments": {"r.yaml": "# nothing\n", "s.yml": A + "  a: 1\n"},
    "empty documents": {"r.yaml": f"{{}}\n---\nnull\n---\n{A}  a: 1\n"},
    "list": {"r.yaml": f"apiVersion: v1\nkind: List\nitems:\n- {ITEM % 'a'}\n- {ITEM % 'b'}\n"},
    "list with holes": {"r.yaml": f"apiVersion: v1\nkind: List\nitems: [{ITEM % 'a'}, null, {{}}]\n---\n{A}  a: 1\n"},
    "typed list": {"r.yaml": f"apiVersion: v1\nkind: ConfigMapList\nitems: [{ITEM % 'a'}]\n"},
    "nested list": {"r.yaml": f"apiVersion: v1\nkind: ConfigMapList\nitems: [{{kind: List, items: [{ITEM % 'a'}]}}]\n"},
    "kind that ends in List": {"r.yaml": "apiVersion: v1\nkind: AllowList\nmetadata: {name: a}\nspec: {a: 1}\n"},
    "local config": {"r.yaml": f"{LOCAL_ON}---\n{A}  a: 1\n"},
    "local config, empty": {"r.yaml": f"{LOCAL_EMPTY}---\n{A}  a: 1\n"},
    "local config, false": {"r.yaml": f"{LOCAL_OFF}---\n{A}  a: 1\n"},
    "two versions": {"r.yaml": A + "  a: 1\n", "s.yaml": A.replace("/v1", "/v2") + "  a: 1\n"},
    "two namespaces": {"r.yaml": A + "  a: 1\n", "s.yaml": A.replace("name: a", "name: a, namespace: b") + "  a: 1\n"},
    "line ends": {"r.yaml": (A + "  a: |\n    x\n    y\n").replace("\n", "\r\n")},
    "block scalars": {"r.yaml": A + "  a: |\n    x\n     y\n\n  b: |-\n    z\n  d: |+\n    k\n\n"},
    "folded scalars": {"r.yaml": A + "  a: >\n    f\n    g\n\n    h\n  b: >-\n    f\n    g\n"},
    "block at the end": {"r.yaml": f"{A}  a: |\n    x\n---\n{B}  a: |+\n    x\n\n---\n", "s.yaml": C + "  a: |\n    x"},
    "byte order mark": {"r.yaml": "\ufeff" + A + "  a: 1\n"},
    "beyond ASCII": {"r.yaml": A + '  a: "é 😀 \u2028 x"\n  b: é😀\n  c: "\\u00e9\\x07\\t"\n'},
    "nulls": {"r.yaml": A + "  a:\n  b: [null, {c: null}]\n  d: {}\n  e: []\n"},
    "json": {"r.yaml": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"v\\u0041\\n"}}\n'},
    "long lines": {"r.yaml": A + "  a: " + "word " * 60 + '\n  b: "' + "word " * 60 + '"\n'},
    "binding alone": {"r.yaml": BINDING + "subjects: [{kind: ServiceAccount, name: sa}]\n"},
    "folders": {
        "kustomization.yaml": "resources: [r.yaml, sub]\n",
        "r.yaml": A + "  a: 1\n",
        "sub/kustomization.yml": "bases: [../base]\n",
        "base/Kustomization": "resources: [s.yaml]\n",
        "base/s.yaml": B + "  a: 1\n",
    },
}  # fmt: skip
LEFT_TO_KUSTOMIZE = {
    "reference to complete": {
        "r.yaml": BINDING + "subjects: [{kind: ServiceAccount, name: sa}]\n---\n"
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sa, namespace: prod}\n"
    },
    "folded text with indented lines": {"r.yaml": A + "  b: >-\n    f\n     g\n"},
    "date": {"r.yaml": A + "  a: 2001-01-01\n"},
    "date and time": {"r.yaml": A + "  a: 2001-12-14 21:59:43.10\n"},
    "document end": {"r.yaml": f"{A}  a: 1\n...\n---\n{B}  a: 1\n"},
    "bare carriage return": {"r.yaml": (A + "  a: x\n").replace("\n", "\r")},
    "list without items": {"r.yaml": f"apiVersion: v1\nkind: List\nitems:\n---\n{A}  a: 1\n"},
    "internal annotation": {
        "r.yaml": "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n"
        "metadata: {name: a, annotations: {internal.config.kubernetes.io/needsHashSuffix: enabled}}\n"
    },
    "label that is no text": {
        "r.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {a: 1}}\n"
    },
}
REFUSED = {
    "twice": {"r.yaml": A + "  a: 1\n", "s.yaml": A + "  a: 2\n"},
    "twice, default namespace": {
        "r.yaml": A + "  a: 1\n",
        "s.yaml": A.replace("name: a", "name: a, namespace: default"),
    },
    "twice, one local": {"r.yaml": f"{LOCAL_ON}---\n{LOCAL_OFF}"},
    "text": {"r.yaml": "hello\n"},
    "sequence": {"r.yaml": "- a\n"},
    "no kind": {"r.yaml": "replicas: 3\n"},
    "list of texts": {"r.yaml": "apiVersion: v1\nkind: List\nitems: [a]\n---\n"},
    "duplicate key": {"r.yaml": A + "  a: 1\n  a: 2\n"},
    "not YAML": {"r.yaml": "a: [\n"},
    "NUL": {"r.yaml": A + '  a: "x\0"\n'},
    "infinity": {"r.yaml": A + "  a: .inf\n"},
}


@pytest.mark.parametrize("content", SAME.values(), ids=list(SAME))
def test_plain_files_read_as_kustomize_reads_them(content: dict[str, Any], tmp_path: Path) -> None:
    plain, built = both(content, tmp_path)
    assert plain == built


@pytest.mark.parametrize("content", LEFT_TO_KUSTOMIZE.values(), ids=list(LEFT_TO_KUSTOMIZE))
def test_what_only_kustomize_knows_is_left_to_it(content: dict[str, Any], tmp_path: Path) -> None:
    plain, built = both(content, tmp_path)
    assert plain is None
    assert built


@pytest.mark.parametrize("content", REFUSED.values(), ids=list(REFUSED))
def test_what_kustomize_refuses_is_refused(content: dict[str, Any], tmp_path: Path) -> None:
    tree = MemoryTree(content)
    layout = Layout(tree)
    closure = close(layout, find_top(layout, ""))
    assert closure.resources is not None
    with pytest.raises(RenderError) as ours:
        read_plain(tree, closure.resources)
    with pytest.raises(RenderError):
        build(closure, tree, scratch_root=tmp_path)
    assert any(file in ours.value.message for file in content)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    objects=st.lists(OBJECTS, max_size=5, unique_by=lambda item: str(item["metadata"])),
    style=st.sampled_from([None, "'", '"', "|", ">"]),
)
def test_any_objects_read_as_kustomize_reads_them(
    objects: list[dict[str, Any]], style: str | None, tmp_path: Path
) -> None:
    written = yaml.safe_dump_all(objects, default_style=style, allow_unicode=True) if style else ""
    text = written or "---\n".join(to_yaml(item) for item in objects)
    plain, built = both({"r.yaml": text}, tmp_path)
    assert plain in (None, built)


def render(content: dict[str, Any], tmp_path: Path, cache: BuildCache | None = None, **spec: Any) -> Rendered:
    unit = kustomization(**spec)
    layout = Layout(MemoryTree(content))
    return render_unit(unit, layout, lookup=lambda *_: None, scratch_root=tmp_path, cache=cache)


def test_a_build_leaves_nothing_behind_and_needs_nothing_around_it(tmp_path: Path) -> None:
    result = render({"a.yaml": config_map("a")}, tmp_path, namePrefix="x-", targetNamespace="prod")
    assert [item["metadata"]["name"] for item in result.objects] == ["x-a"]
    assert result.objects[0]["metadata"]["namespace"] == "prod"
    assert list(tmp_path.iterdir()) == []


NUMBERS = """
namespace: 5
namePrefix: 1
commonAnnotations: {rev: 5, none: null}
commonLabels: {canary: true, beta: on}
images: [{name: app, newTag: 1.10}]
replicas: [{name: d, count: 3}]
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec: {template: {spec: {containers: [{name: c, image: app}]}}}
"""


def test_numbers_and_booleans_in_the_kustomization_of_the_unit_work_as_in_flux(tmp_path: Path) -> None:
    content = {"app/kustomization.yaml": f"{NUMBERS}resources: [d.yaml]\n", "app/d.yaml": DEPLOYMENT}
    (found,) = render(content, tmp_path, path="app").objects
    meta, spec = found["metadata"], found["spec"]
    assert (meta["name"], meta["namespace"]) == ("1d", "5")
    assert meta["annotations"] == {"rev": "5", "none": ""}
    assert {"canary": "true", "beta": "true"}.items() <= meta["labels"].items()
    assert spec["template"]["spec"]["containers"][0]["image"] == "app:1.1"
    assert spec["replicas"] == 3


@pytest.mark.parametrize("line", NUMBERS.split("\n")[1:-2])
def test_numbers_in_a_nested_kustomization_fail_as_in_flux(line: str, tmp_path: Path) -> None:
    nested = {"base/kustomization.yaml": f"resources: [d.yaml]\n{line}\n", "base/d.yaml": DEPLOYMENT}
    with pytest.raises(RenderError, match="kustomize build failed"):
        render({**nested, "app/kustomization.yaml": "resources: [../base]\n"}, tmp_path, path="app")


def test_the_same_input_gives_the_same_digest_in_any_order(tmp_path: Path) -> None:
    names = ["b", "a", "c"]
    one = render({"r.yaml": "---\n".join(map(config_map, names))}, tmp_path)
    two = render({f"{name}.yaml": config_map(name) for name in names}, tmp_path)
    assert one.digest == two.digest
    assert one.objects == two.objects
    assert set(one.timings) == {"closure", "build", "substitute", "finish"}


def test_an_error_names_unit_and_file_and_not_the_scratch_folder(tmp_path: Path) -> None:
    content = {
        "app/kustomization.yaml": "resources: [../base]\nnamePrefix: x\n",
        "base/kustomization.yaml": "resources: [bad.yaml]\n",
        "base/bad.yaml": "a: b: c\n",
    }
    with pytest.raises(RenderError) as caught:
        render(content, tmp_path, path="app")
    text = str(caught.value)
    assert text.startswith("stack.yaml: Kustomization/flux-system/apps: app: kustomize build failed: ")
    assert "bad.yaml" in text
    assert "yaml: mapping values are not allowed in this context" in text
    assert str(tmp_path) not in text
    assert "run `kustomize build app`" in text


CANARY = "hunter2canary"
LEAKS = {
    "literal": f"secretGenerator: [{{name: s, literals: [{CANARY}]}}]",
    "generator": f"secretGenerator: [{{name: s, behavior: merge, literals: [k={CANARY}]}}]",
    "env file": "secretGenerator: [{name: s, envs: [s.env]}]",
    "patch on a secret": "resources: [s.yaml]\npatches: [{path: p.yaml}]",
    "json patch": f"resources: [s.yaml]\npatches: [{{target: {{kind: Secret}}, patch: '[{{op: {CANARY}}}]'}}]",
    "broken secret": "namePrefix: x-\nresources: [t.yaml]",
}


@pytest.mark.parametrize("text", LEAKS.values(), ids=list(LEAKS))
def test_a_failing_build_does_not_show_secrets(text: str, tmp_path: Path) -> None:
    content = {
        "kustomization.yaml": f"{text}\n",
        "s.env": b"k=" + CANARY.encode() + b"\xff\n",
        "s.yaml": f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{k: {CANARY}}}\n",
        "p.yaml": f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: [{CANARY}]\ndata: {CANARY}\n",
        "t.yaml": f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{1: {CANARY}}}\n",
    }
    with pytest.raises(RenderError) as caught:
        render(content, tmp_path)
    cause = caught.value.__cause__
    assert CANARY not in f"{caught.value} {cause} {cause.__cause__ if cause else ''}"
    assert "kustomize build failed" in str(caught.value)


def test_a_build_stops_on_request(tmp_path: Path) -> None:
    tree = MemoryTree(
        {"kustomization.yaml": "namePrefix: x-\nresources: [a.yaml]\n", "a.yaml": config_map("a") * 1}
    )
    layout = Layout(tree)
    stop = threading.Event()
    stop.set()
    with pytest.raises(StopRequested):
        build(close(layout, find_top(layout, "")), _slow(tree), scratch_root=tmp_path, stop=stop)
    assert list(tmp_path.iterdir()) == []


def _slow(tree: MemoryTree) -> MemoryTree:
    """The same tree with an object so large that kustomize is still reading when it is told to stop."""
    big = "---\n".join(config_map(f"a{index}") for index in range(3000))
    return MemoryTree({**{path: tree.read(path) for path in tree.files}, "a.yaml": big})


def test_a_large_plain_unit_is_read_once_and_kept_when_there_is_time(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path / "kept")
    files = {f"{n}.yaml": config_map(f"map-{n}", key="x" * 10_000) for n in range(40)}
    first = render(files, tmp_path, cache)
    assert not list(cache.folder.glob("[0-9a-f]*")), "nobody waits for the disk"
    cache.flush()
    assert len(list(cache.folder.glob("[0-9a-f]*"))) == 1
    assert render(files, tmp_path, cache).objects == first.objects
