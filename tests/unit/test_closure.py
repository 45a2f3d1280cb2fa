"""Which files a build reads: found before kustomize runs, and nothing outside the artifact is ever among them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.property.strategies import Link, MemoryTree, config_map
from weir.render.closure import MAX_LEVELS, Closure, close
from weir.render.layout import Layout, relative
from weir.render.top import find_top
from weir.render.written import MAX_BESIDE
from weir.spec.errors import RenderError

FILES = [
    *("a.txt", "b.txt", "c.env", "config.yaml", "crd.json", "d.env", "deploy.yaml", "merge.yaml", "ops.yaml"),
    *("patch.yaml", "replace.yaml", "s.txt", "schema.json"),
]


def closure_of(content: dict[str, Any], path: str = "") -> Closure:
    layout = Layout(MemoryTree(content))
    return close(layout, find_top(layout, path))


def kustomization_of(closure: Closure, file: str) -> dict[str, Any]:
    return dict(json.loads(closure.written[file]))


def test_every_field_that_names_files_is_followed() -> None:
    closure = closure_of(
        {
            "app/kustomization.yaml": """
resources: [deploy.yaml, ../base]
components: [../parts/debug]
crds: [crd.json]
configurations: [config.yaml]
openapi: {path: schema.json}
patches: [{path: patch.yaml}, {patch: "kind: X"}]
patchesJson6902: [{path: ops.yaml, target: {kind: Deployment, name: web}}]
patchesStrategicMerge: [merge.yaml]
replacements: [{path: replace.yaml}]
configMapGenerator: [{name: c, files: [a.txt, key=b.txt], envs: [c.env], env: d.env, literals: [x=/etc/passwd]}]
secretGenerator: [{name: s, files: [s.txt]}]
""",
            "base/kustomization.yml": "resources: [cm.yaml]\n",
            "parts/debug/Kustomization": "kind: Component\npatches: [{path: p.yaml}]\n",
            **{f"app/{name}": "x: y\n" for name in FILES},
            "base/cm.yaml": "x: y\n",
            "parts/debug/p.yaml": "x: y\n",
            "app/unused.yaml": "x: y\n",
            "README.md": "nothing\n",
        },
        "app",
    )
    expected = [f"app/{name}" for name in FILES]
    assert list(closure.files) == sorted([*expected, "base/cm.yaml", "parts/debug/p.yaml"])
    assert set(closure.written) == {
        "app/kustomization.yaml",
        "base/kustomization.yml",
        "parts/debug/Kustomization",
    }
    assert closure.makes_secrets
    assert closure.resources is None


def test_paths_are_spelled_out_so_that_none_can_be_taken_for_a_url() -> None:
    closure = closure_of(
        {
            "kustomization.yaml": "resources: [github.com/acme/base, 'git@host:x.yaml']\n",
            "github.com/acme/base/kustomization.yaml": "resources: [a.yaml]\n",
            "github.com/acme/base/a.yaml": config_map("a"),
            "git@host:x.yaml": config_map("b"),
        }
    )
    top = kustomization_of(closure, "kustomization.yaml")
    assert top["resources"] == ["./github.com/acme/base", "./git@host:x.yaml"]


def test_links_inside_the_artifact_lead_to_their_real_files() -> None:
    closure = closure_of(
        {
            "app/kustomization.yaml": "resources: [base, cm.yaml]\nconfigMapGenerator: [{name: c, files: [conf]}]\n",
            "app/base": Link("../shared/base"),
            "app/cm.yaml": Link("../shared/hop"),
            "app/conf": Link("../shared/app.conf"),
            "shared/hop": Link("./cm.yaml"),
            "shared/cm.yaml": config_map("a"),
            "shared/app.conf": "x",
            "shared/base/kustomization.yaml": "resources: [b.yaml]\n",
            "shared/base/b.yaml": config_map("b"),
        },
        "app",
    )
    assert closure.files == ("shared/app.conf", "shared/base/b.yaml", "shared/cm.yaml")
    top = kustomization_of(closure, "app/kustomization.yaml")
    assert top["resources"] == ["../shared/base", "../shared/cm.yaml"]
    assert top["configMapGenerator"][0]["files"] == ["conf=../shared/app.conf"]


def test_without_a_kustomization_every_yaml_file_counts_and_nested_ones_as_a_whole() -> None:
    closure = closure_of(
        {
            "apps/a.yaml": config_map("a"),
            "apps/deep/er/b.yml": config_map("b"),
            "apps/own/kustomization.yaml": "resources: [listed.yaml]\n",
            "apps/own/listed.yaml": config_map("c"),
            "apps/own/unlisted.yaml": config_map("d"),
            "apps/notes.txt": "no",
            "apps/values.json": "{}",
            "other/e.yaml": config_map("e"),
        },
        "apps",
    )
    assert closure.resources == ("apps/a.yaml", "apps/deep/er/b.yml", "apps/own/listed.yaml")
    assert closure.files == closure.resources


@pytest.mark.parametrize(
    ("content", "path", "message"),
    [
        ({"a/x.yaml": "x"}, "b", "kustomization path not found: b"),
        ({"a/x.yaml": "x"}, "a/x.yaml", "spec.path: found the file a/x.yaml, expected a folder"),
        ({"a": Link("../..")}, "a", "spec.path: found 'a', where a symbolic link leaves the artifact"),
        (
            {"a/kustomization.yaml": "", "a/Kustomization": ""},
            "a",
            "a: found kustomization.yaml and Kustomization, expected one kustomization file",
        ),
        (
            {"a/kustomization.yaml": "- x\n"},
            "a",
            "a/kustomization.yaml: found 1 documents, expected one mapping",
        ),
        (
            {"a/kustomization.yaml": "resources: []\n---\nresources: []\n"},
            "a",
            "a/kustomization.yaml: found 2 documents, expected one mapping",
        ),
    ],
)
def test_a_unit_that_cannot_start_says_why(content: dict[str, Any], path: str, message: str) -> None:
    with pytest.raises(RenderError) as caught:
        closure_of(content, path)
    assert caught.value.message == message


REFUSED = [
    ("resources: [../../out.yaml]", "resources[0]: found '../../out.yaml', which leaves the artifact"),
    (
        "resources: [/etc/passwd]",
        "resources[0]: found the absolute path '/etc/passwd', expected one inside the",
    ),
    ("resources: [missing.yaml]", "resources[0]: found 'missing.yaml', expected something that exists"),
    ("resources: [cm.yaml, '']", "resources[1]: found '', expected a path"),
    ("resources: cm.yaml", "resources: found str, expected a list"),
    ("resources: [empty]", "resources[0]: found the folder app/empty without a kustomization file"),
    ("resources: ['https://x.org/y.yaml']", "resources[0]: found the remote base 'https://x.org/y.yaml'"),
    ("resources: ['github.com/x/y?ref=v1']", "resources[0]: found the remote base"),
    ("resources: ['git@github.com:x/y']", "resources[0]: found the remote base"),
    ("components: ['ssh://git@x.org/y']", "components[0]: found the remote base"),
    ("components: [cm.yaml]", "components[0]: found the file 'cm.yaml', expected a folder"),
    ("crds: [empty]", "crds[0]: found the folder 'empty', expected a file"),
    ("patches: [{path: ../../p.yaml}]", "patches[0].path: found '../../p.yaml', which leaves the artifact"),
    ("patches: [{Path: /etc/passwd}]", "patches[0].path: found the absolute path"),
    ("configMapGenerator: [{name: c, env\u017f: [/x]}]", "configMapGenerator[0].env\u017f: found an unknown"),
    ("patches: [/etc/passwd]", "patches[0]: found str, expected a mapping"),
    ("Resources: [/etc/passwd]", "resources[0]: found the absolute path"),
    ("re\u017fources: [/etc/passwd]", "re\u017fources: found an unknown field"),
    ("Resources: [cm.yaml]\nRESOURCES: [cm.yaml]", "found resources in two spellings, expected one"),
    (
        "secretGenerator: [{name: s, files: [k=/etc/passwd]}]",
        "secretGenerator[0].files[0]: found the absolute path",
    ),
    (
        "secretGenerator: [{name: s, envs: [../../e]}]",
        "secretGenerator[0].envs[0]: found '../../e', which leaves",
    ),
    (
        "secretGenerator: [{name: s, env: /proc/self/environ}]",
        "secretGenerator[0].env: found the absolute path",
    ),
    (
        "configMapGenerator: [{name: c, files: [a=b=c]}]",
        "configMapGenerator[0].files[0]: found 'a=b=c', expected",
    ),
    (
        "configMapGenerator: [{name: c, FILES: [/x]}]",
        "configMapGenerator[0].files[0]: found the absolute path",
    ),
    ("replacements: [{path: /x}]", "replacements[0].path: found the absolute path"),
    ("openapi: {path: /x}", "openapi.path: found the absolute path"),
    ("helmCharts: [{name: x}]", "helmCharts: is not supported"),
    ("HelmCharts: [{name: x}]", "helmCharts: is not supported"),
    ("helmGlobals: {chartHome: /}", "helmGlobals: is not supported"),
    ("helmChartInflationGenerator: []", "helmChartInflationGenerator: is not supported"),
    ("resources: [.]", "resources[0]: found app, which is built already: a cycle"),
    ("resources: [..]", "resources[0]: found ., which is built already: a cycle"),
    ("resources: [loop]", "resources[0]: found 'loop', where symbolic links go round"),
    ("resources: [out]", "resources[0]: found 'out', where a symbolic link leaves the artifact"),
    ("resources: [root]", "resources[0]: found 'root', where a symbolic link leaves the artifact"),
    (
        "resources: [out/passwd]",
        "resources[0]: found 'out/passwd', where a symbolic link leaves the artifact",
    ),
    (
        "generators: [plugin.yaml]",
        "app/plugin.yaml: found the plugin example.org/v1 Exec, expected apiVersion builtin",
    ),
    ("transformers: [reader.yaml]", "app/reader.yaml: PatchTransformer: Path: names a file"),
    ("validators: [empty]", "validators[0]: found the folder 'empty', expected a file with built-in plugins"),
    (
        'transformers: ["{apiVersion: builtin, kind: ReplacementTransformer, replacements: [{path: /x}]}"]',
        "transformers[0]: ReplacementTransformer: replacements[].path: names a file",
    ),
    (
        'generators: ["{apiVersion: builtin, kind: HelmChartInflationGenerator, metadata: {name: x}}"]',
        "generators[0]: found the plugin builtin HelmChartInflationGenerator",
    ),
    ('patchesStrategicMerge: ["x\\n/../../../etc/passwd"]', "patchesStrategicMerge[0]: found no mapping"),
]


@pytest.mark.parametrize(("field", "message"), REFUSED, ids=[field[:60] for field, _ in REFUSED])
def test_what_leaves_the_artifact_or_runs_programs_is_refused(field: str, message: str) -> None:
    content = {
        "app/kustomization.yaml": f"{field}\n",
        "app/cm.yaml": config_map("a"),
        "app/empty/readme": "",
        "app/loop": Link("loop2"),
        "app/loop2": Link("loop"),
        "app/out": Link("../../etc"),
        "app/root": Link("/etc/passwd"),
        "app/plugin.yaml": "apiVersion: example.org/v1\nkind: Exec\nmetadata: {name: x}\n",
        "app/reader.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\nPath: /etc/passwd\n",
    }
    with pytest.raises(RenderError) as caught:
        closure_of(content, "app")
    text = caught.value.message
    assert text.startswith("app/")
    assert message in text
    assert caught.value.hint


def test_built_in_plugins_are_passed_on_as_checked_never_as_written() -> None:
    closure = closure_of(
        {
            "kustomization.yaml": """
transformers:
  - file.yaml
  - |
    apiVersion: builtin
    kind: PrefixTransformer
    metadata: {name: p}
    prefix: x-
patchesStrategicMerge:
  - |
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: a}
    data: {path: ../../../etc/passwd}
""",
            "file.yaml": "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: l}\nfieldSpecs: [{path: a}]\n",
        }
    )
    top = kustomization_of(closure, "kustomization.yaml")
    texts = [
        closure.written[path.removeprefix("./")]
        for path in (*top["transformers"], *top["patchesStrategicMerge"])
    ]
    kinds = [json.loads(text)["kind"] for text in texts]
    assert kinds == ["LabelTransformer", "PrefixTransformer", "ConfigMap"]
    assert closure.files == ()


PLUGIN = "{apiVersion: builtin, kind: PrefixTransformer, metadata: {name: p}, prefix: x%d-}"
SAME_PATCHES = ", ".join(["'{kind: ConfigMap, metadata: {name: a}}'"] * 20)
TEN_PLUGINS = ", ".join(f"'{PLUGIN % (n % 10)}'" for n in range(20))
MANY_PLUGINS = (
    f"kind: Component\ntransformers: [plugin.yaml, {TEN_PLUGINS}]\npatchesStrategicMerge: [{SAME_PATCHES}]\n"
)


def test_a_component_named_often_is_written_once() -> None:
    content = {
        "app/kustomization.yaml": f"components: [{', '.join(['../part'] * 50)}]\n",
        "part/kustomization.yaml": MANY_PLUGINS,
        "part/plugin.yaml": PLUGIN % 1,
    }
    closure = closure_of(content, "app")
    part = kustomization_of(closure, "part/kustomization.yaml")
    assert len(part["transformers"]) == 21
    assert len(closure.written) == 2 + 10 + 1 + 1, (
        "kustomizations, different plugins, the plugin file, the patch"
    )
    for index, path in enumerate(part["transformers"][1:]):
        text = closure.written["part/" + path.removeprefix("./")]
        assert json.loads(text)["prefix"] == f"x{index % 10}-"


def test_a_text_that_is_good_as_a_patch_is_still_checked_as_a_plugin() -> None:
    text = "'{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}'"
    with pytest.raises(RenderError, match="expected apiVersion builtin"):
        closure_of({"kustomization.yaml": f"patchesStrategicMerge: [{text}]\ntransformers: [{text}]\n"})


def test_what_is_written_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"part/kustomization.yaml": MANY_PLUGINS, "part/plugin.yaml": PLUGIN % 1}
    size = sum(len(text) for text in closure_of(content, "part").written.values())
    monkeypatch.setattr("weir.render.written.MAX_BYTES", size)
    closure_of(content, "part")
    monkeypatch.setattr("weir.render.written.MAX_BYTES", size - 1)
    with pytest.raises(
        RenderError, match=r"^part/kustomization.yaml: found over \d+ bytes of kustomizations, plug"
    ):
        closure_of(content, "part")
    texts = ", ".join(f"'{PLUGIN % n}'" for n in range(MAX_BESIDE + 1))
    monkeypatch.undo()
    with pytest.raises(RenderError, match="found over 10000 plugins and inline patches"):
        closure_of({"kustomization.yaml": f"transformers: [{texts}]\n"})


def test_entries_count_as_often_as_their_component_is_named() -> None:
    patches = "kind: Component\npatches: [" + "{patch: a}, " * 5000 + "]\n"
    content = {
        "app/kustomization.yaml": f"components: [{', '.join(['../part'] * 25)}]\n",
        "part/kustomization.yaml": patches,
    }
    with pytest.raises(RenderError, match="found over 100000 entries and paths"):
        closure_of(content, "app")


def test_only_what_kustomize_reads_as_yaml_counts_as_such() -> None:
    fields = "configMapGenerator: [{name: c, files: [a.txt, b.yaml], envs: [c.env], env: d.env}]\n"
    content = dict.fromkeys(("a.txt", "b.yaml", "c.env", "d.env", "bomb", "p.txt"), "x: y\n")
    fields += "resources: [bomb]\npatches: [{path: p.txt}, {path: a.txt}]\n"
    closure = closure_of({**content, "kustomization.yaml": fields})
    assert closure.files == ("a.txt", "b.yaml", "bomb", "c.env", "d.env", "p.txt")
    assert closure.parsed == ("a.txt", "bomb", "p.txt")


def test_one_base_may_be_used_twice_but_not_from_within_itself() -> None:
    shared = {"base/kustomization.yaml": "namePrefix: x-\n"}
    for name in ("left", "right"):
        shared[f"{name}/kustomization.yaml"] = "resources: [../base]\n"
    closure = closure_of({**shared, "top/kustomization.yaml": "resources: [../left, ../right]\n"}, "top")
    assert len(closure.written) == 4
    shared["base/kustomization.yaml"] = "resources: [../left]\n"
    with pytest.raises(
        RenderError, match=r"base/kustomization.yaml: resources\[0\]: found left, .*: a cycle"
    ):
        closure_of(shared, "left")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {f"{n}/kustomization.yaml": f"resources: [../{n + 1}]\n" for n in range(10_000)},
            f"found over {MAX_LEVELS} levels of kustomizations",
        ),
        (
            {f"{n}/kustomization.yaml": f"resources: [../{n + 1}, ../{n + 1}]\n" for n in range(40)}
            | {"40/kustomization.yaml": "namePrefix: x\n"},
            "found over 1000 kustomizations",
        ),
    ],
    ids=["10,000 deep", "doubled 40 times"],
)
def test_towers_of_kustomizations_are_bounded(content: dict[str, Any], message: str) -> None:
    with pytest.raises(RenderError, match=message):
        closure_of(content, "0")


@pytest.mark.parametrize(
    ("folder", "path", "expected"),
    [
        ("", "a.yaml", "./a.yaml"),
        ("a", "a/b", "./b"),
        ("a/b", "c", "../../c"),
        ("a", "", ".."),
        ("a/b", "a", ".."),
    ],
)
def test_relative_paths_look_like_paths(folder: str, path: str, expected: str) -> None:
    assert relative(folder, path) == expected
