"""S03, S04: hostile repositories: nothing outside the artifact is read, no program runs, and every attack ends soon."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.property.strategies import Link, MemoryTree, config_map, kustomization
from weir.edges import kustomize
from weir.edges.build_cache import BuildCache, build_key
from weir.edges.process import Limits, run
from weir.flow.render import Rendered, render_unit
from weir.render.closure import close
from weir.render.layout import Layout
from weir.render.top import find_top
from weir.spec.documents import Document
from weir.spec.errors import RenderError, WeirError

pytestmark = pytest.mark.faults
CANARY = "planted-secret-5317"
SOON = 2.0
"""Seconds in which an attack has to end (S04)."""

Render = Callable[..., Rendered]


@pytest.fixture
def render(tmp_path: Path) -> Render:
    """Renders `apps` of these files with a scratch folder next to a planted secret."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "secret.yaml").write_text(config_map(CANARY, key=CANARY))
    (tmp_path / "secret" / "sub").mkdir(parents=True)
    (tmp_path / "secret" / "kustomization.yaml").write_text("resources: [../secret.yaml]\n")

    def call(content: dict[str, Any], cache: BuildCache | None = None, **spec: Any) -> Rendered:
        return render_unit(
            kustomization("apps", **spec),
            Layout(MemoryTree(content)),
            lookup=lambda *_: None,
            scratch_root=tmp_path / "scratch",
            cache=cache,
        )

    return call


FIELDS = {
    "resources": "resources: [PATH]",
    "bases": "bases: [PATH]",
    "components": "components: [PATH]",
    "crds": "crds: [PATH]",
    "configurations": "configurations: [PATH]",
    "patches": "resources: [cm.yaml]\npatches: [{path: PATH}]",
    "patchesJson6902": "resources: [cm.yaml]\npatchesJson6902: [{path: PATH, target: {kind: ConfigMap, name: a}}]",
    "patchesStrategicMerge": "resources: [cm.yaml]\npatchesStrategicMerge: [PATH]",
    "replacements": "resources: [cm.yaml]\nreplacements: [{path: PATH}]",
    "openapi": "resources: [cm.yaml]\nopenapi: {path: PATH}",
    "configMap files": "configMapGenerator: [{name: c, files: [PATH]}]",
    "configMap keyed files": "configMapGenerator: [{name: c, files: [k=PATH]}]",
    "configMap envs": "configMapGenerator: [{name: c, envs: [PATH]}]",
    "configMap env": "configMapGenerator: [{name: c, env: PATH}]",
    "secret files": "secretGenerator: [{name: s, files: [PATH]}]",
    "secret envs": "secretGenerator: [{name: s, envs: [PATH]}]",
    "generators": "generators: [PATH]",
    "transformers": "resources: [cm.yaml]\ntransformers: [PATH]",
    "validators": "resources: [cm.yaml]\nvalidators: [PATH]",
    "helmCharts": "helmCharts: [{name: PATH, valuesFile: PATH}]\nhelmGlobals: {chartHome: PATH}",
    "plugin that reads": 'transformers: ["{apiVersion: builtin, kind: PatchTransformer, path: PATH}"]',
    "plugin that generates": 'generators: ["{apiVersion: builtin, kind: ConfigMapGenerator, name: c, files: [PATH]}"]',
    "other letter case": "Resources: [PATH]",
    "inline patch": 'resources: [cm.yaml]\npatchesStrategicMerge: ["x\\nPATH"]',
}
PATHS = {
    "up": "../../../secret.yaml",
    "up, folder": "../../../secret",
    "up and back": "../../../scratch/../secret.yaml",
    "absolute": "TMP/secret.yaml",
    "relative link": "link",
    "relative link, folder": "linkdir",
    "absolute link": "abslink",
    "chain": "chain1",
    "through a link": "linkdir/kustomization.yaml",
    "through a link to the root": "root/proc/self/environ",
    "process": "/proc/self/environ",
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("field", FIELDS)
def test_nothing_outside_the_artifact_is_read(field: str, path: str, render: Render, tmp_path: Path) -> None:
    text = FIELDS[field].replace("PATH", PATHS[path].replace("TMP", str(tmp_path)))
    content = {
        "apps/kustomization.yaml": f"{text}\n",
        "apps/cm.yaml": config_map("a"),
        "apps/link": Link("../../../secret.yaml"),
        "apps/linkdir": Link("../../../secret"),
        "apps/abslink": Link(str(tmp_path / "secret.yaml")),
        "apps/chain1": Link("chain2"),
        "apps/chain2": Link("../other/chain3"),
        "other/chain3": Link("../../../secret.yaml"),
        "apps/root": Link("/"),
    }
    with pytest.raises(RenderError) as caught:
        render(content)
    assert CANARY not in str(caught.value)
    assert "kustomize build failed" not in str(caught.value), "refused before kustomize runs"


READER = "{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: c}, files: [PATH]}"
MAKER = "{apiVersion: builtin, kind: SecretGenerator, metadata: {name: s}, literals: [a=b]}"


@pytest.mark.parametrize(
    "content",
    [
        {
            "apps/kustomization.yaml": f"secretGenerator: [{{name: s, literals: [a=b]}}]\ngenerators: ['{READER}']\n"
        },
        {"apps/kustomization.yaml": f"generators: ['{MAKER}', '{READER}']\n"},
        {
            "apps/kustomization.yaml": "generators: [both.yaml]\n",
            "apps/both.yaml": f"{MAKER}\n---\n{READER}\n",
        },
        {
            "apps/kustomization.yaml": f"resources: [../base]\ngenerators: ['{READER}']\n",
            "base/kustomization.yaml": "secretGenerator: [{name: s, literals: [a=b]}]\n",
        },
    ],
    ids=["field", "inline", "documents", "base"],
)
def test_a_plugin_reads_no_file_beside_one_that_makes_secrets(
    content: dict[str, str], render: Render, tmp_path: Path
) -> None:
    planted = {path: text.replace("PATH", str(tmp_path / "secret.yaml")) for path, text in content.items()}
    with pytest.raises(RenderError, match="names a file, and built-in plugins may not"):
        render(planted)


def test_a_link_in_a_folder_without_kustomization_is_not_followed_out(render: Render) -> None:
    for name in ("b.yaml", "b", "kustomization.yaml"):
        rendered = render({"apps/a.yaml": config_map("a"), f"apps/{name}": Link("../../../secret.yaml")})
        assert [item["metadata"]["name"] for item in rendered.objects] == ["a"]
        assert CANARY not in str(rendered)


LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
ENDLESS = {
    "itself": {"apps/kustomization.yaml": "resources: [.]\n"},
    "its parent": {
        "apps/kustomization.yaml": "resources: [..]\n",
        "kustomization.yaml": "resources: [apps]\n",
    },
    "a to b to a": {
        "apps/kustomization.yaml": "resources: [../b]\n",
        "b/kustomization.yaml": "resources: [../apps]\n",
    },
    "component of itself": {"apps/kustomization.yaml": "kind: Component\ncomponents: [../apps]\n"},
    "link to its folder": {"apps/kustomization.yaml": "resources: [again]\n", "apps/again": Link("../apps")},
    "links in a ring": {
        "apps/kustomization.yaml": "resources: [x]\n",
        "apps/x": Link("y"),
        "apps/y": Link("x"),
    },
    "10,000 levels": {"apps/kustomization.yaml": "resources: [../0]\n"}
    | {f"{n}/kustomization.yaml": f"resources: [../{n + 1}]\n" for n in range(10_000)},
    "doubling": {"apps/kustomization.yaml": "resources: [../0, ../0]\n"}
    | {f"{n}/kustomization.yaml": f"resources: [../{n + 1}, ../{n + 1}]\n" for n in range(48)}
    | {"48/kustomization.yaml": "namePrefix: x\n"},
    "a million paths": {
        "apps/kustomization.yaml": "resources:\n" + "- a.yaml\n" * 150_000,
        "apps/a.yaml": "{}",
    },
    "laughing kustomization": {"apps/kustomization.yaml": LAUGHS},
    "laughing resource": {"apps/a.yaml": LAUGHS},
    "a list of nothing": {"apps/a.yaml": "kind: List\nitems:\n" + "- {}\n" * 240_000 + "- 1\n"},
    "a component with plugins, many times": {
        "apps/kustomization.yaml": "components:\n" + "- ../part\n" * 999,
        "part/kustomization.yaml": "kind: Component\ntransformers: [&p '{apiVersion: builtin, "
        f"kind: PrefixTransformer, metadata: {{name: p}}, prefix: {'x' * 10_000}}}', {', '.join(['*p'] * 998)}]\n",
    },
    "laughing patch": {
        "apps/kustomization.yaml": f"resources: [a.yaml]\npatches: [{{patch: {json.dumps(LAUGHS)}}}]\n",
        "apps/a.yaml": config_map("a"),
    },
    "deep resource": {"apps/a.yaml": "a: " + "[" * 1_000_000},
    "python object": {"apps/a.yaml": "a: !!python/object/apply:os.system [touch /tmp/owned]\n"},
}


@pytest.mark.parametrize("content", ENDLESS.values(), ids=list(ENDLESS))
def test_an_endless_tree_is_a_bounded_error(content: dict[str, Any], render: Render) -> None:
    started = time.process_time()
    with pytest.raises(RenderError) as caught:
        render(content)
    assert time.process_time() - started < SOON
    assert len(str(caught.value)) < 1000


def test_what_only_fills_a_config_map_may_look_like_anything(render: Render) -> None:
    fields = "files: [bomb.yaml, utf16.yaml], envs: [bomb.env], literals: [{}]".format(
        json.dumps(f"l={LAUGHS}")
    )
    content = {
        "apps/kustomization.yaml": f"configMapGenerator: [{{name: c, {fields}}}]\n",
        "apps/bomb.yaml": LAUGHS,
        "apps/bomb.env": "".join(f"a{n}= *a *a\n" for n in range(99)),
        "apps/utf16.yaml": LAUGHS.encode("utf-16"),
    }
    (found,) = render(content).objects
    assert found["data"]["bomb.yaml"] == found["data"]["l"] == LAUGHS


def test_a_resource_in_utf_16_is_read_as_kustomize_reads_it(render: Render) -> None:
    text = config_map("a", key="\u00e4") + "".join(f"# *a{n}\n" for n in range(99))
    content = {"apps/kustomization.yaml": "namePrefix: x-\nresources: [a.yaml]\n"}
    (found,) = render({**content, "apps/a.yaml": text.encode("utf-16")}).objects
    assert found["metadata"]["name"] == "x-a"


FUNCTION = """
apiVersion: example.org/v1
kind: Tool
metadata: {name: x, annotations: {config.kubernetes.io/function: '%s'}}
"""


@pytest.mark.parametrize(
    "config",
    [
        FUNCTION % "exec: {path: ./run.sh}",
        FUNCTION % "container: {image: busybox}",
        "apiVersion: someteam.example.com/v1\nkind: SedTransformer\nmetadata: {name: x}\n",
    ],
    ids=["exec function", "container function", "exec plugin"],
)
@pytest.mark.parametrize("field", ["generators", "transformers", "validators"])
def test_no_program_runs(config: str, field: str, render: Render, tmp_path: Path) -> None:
    script = f"#!/bin/sh\ntouch {tmp_path}/owned\n"
    content = {
        "apps/kustomization.yaml": f"{field}: [p.yaml]\n",
        "apps/p.yaml": config,
        "apps/run.sh": script,
    }
    with pytest.raises(RenderError, match="expected apiVersion builtin and a kind of kustomize's own"):
        render(content)
    assert not (tmp_path / "owned").exists()


def test_remote_bases_start_no_git(render: Render) -> None:
    for base in (
        "https://example.org/x.yaml",
        "github.com/acme/x?ref=main",
        "git@example.org:x/y",
        "ssh://e.org/x/y",
    ):
        with pytest.raises(RenderError, match="remote bases are not supported"):
            render({"apps/kustomization.yaml": f"resources: ['{base}']\n"})


def test_a_build_that_burns_cpu_or_memory_is_ended(tmp_path: Path) -> None:
    """The limits that a build runs under hold for a program that does nothing else."""
    started = time.monotonic()
    spin = run(["/bin/sh", "-c", "while :; do :; done"], env={}, timeout=20, limits=Limits(cpu_seconds=1))
    assert spin.returncode != 0
    assert time.monotonic() - started < 15
    grab = "import sys; x = bytearray(8 * 1024**3); sys.exit(0)"
    python = [sys.executable, "-c", grab]
    assert run(python, env={}, timeout=20, limits=Limits(memory=kustomize.MAX_MEMORY)).returncode != 0


def test_a_poisoned_unit_ends_at_its_deadline_and_the_others_go_on(render: Render, tmp_path: Path) -> None:
    heavy = "---\n".join(config_map(f"a{index}") for index in range(20_000))
    tree = MemoryTree({"kustomization.yaml": "namePrefix: x-\nresources: [a.yaml]\n", "a.yaml": heavy})
    layout = Layout(tree)
    closure = close(layout, find_top(layout, ""))
    failed: list[WeirError] = []

    def poisoned() -> None:
        try:
            kustomize.build(closure, tree, scratch_root=tmp_path / "scratch", timeout=1.0)
        except WeirError as err:
            failed.append(err)

    thread = threading.Thread(target=poisoned)
    thread.start()
    assert render({"apps/a.yaml": config_map("a")}, namePrefix="x-").objects
    thread.join(30)
    assert [err.message for err in failed] == [".: kustomize was still building after 1 s"]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_scratch_files_are_private_under_any_umask(tmp_path: Path) -> None:
    tree = MemoryTree(
        {"a/kustomization.yaml": "namePrefix: x-\nresources: [b/c.yaml]\n", "a/b/c.yaml": config_map("a")}
    )
    layout = Layout(tree)
    before = os.umask(0)
    try:
        kustomize._write(close(layout, find_top(layout, "a")), tree, tmp_path)
    finally:
        os.umask(before)
    modes = {str(p.relative_to(tmp_path)): stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    assert modes == {"a": 0o700, "a/b": 0o700, "a/kustomization.yaml": 0o600, "a/b/c.yaml": 0o600}


TEMPLATE = {"apps/kustomization.yaml": "namePrefix: x-\nresources: [a.yaml]\n"}


def test_the_cache_keeps_no_secret_and_no_encrypted_object(render: Render, tmp_path: Path) -> None:
    cache = BuildCache(tmp_path / "cache")
    secret = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{k: {CANARY}}}\n"
    assert render({**TEMPLATE, "apps/a.yaml": secret}, cache).secret_ids
    with pytest.raises(RenderError, match="encrypted with SOPS"):
        render({**TEMPLATE, "apps/a.yaml": config_map("a") + f"sops: {{mac: {CANARY}}}\n"}, cache)
    assert not cache.folder.exists()
    render({**TEMPLATE, "apps/a.yaml": config_map("a")}, cache)
    assert [stat.S_IMODE(path.stat().st_mode) for path in cache.folder.iterdir()] == [0o600]


def test_an_altered_cache_entry_is_built_again(render: Render, tmp_path: Path) -> None:
    cache = BuildCache(tmp_path / "cache")
    content = {**TEMPLATE, "apps/a.yaml": config_map("a")}
    first = render(content, cache)
    (entry,) = cache.folder.iterdir()
    good = entry.read_bytes()
    for bad in (b"", good[:70], good.replace(b"x-a", b"y-a"), b"0" * 64 + good[64:], good + b" "):
        entry.write_bytes(bad)
        assert render(content, cache).objects == first.objects
    assert entry.read_bytes() == good
    entry.rename(cache.folder / ("0" * 64))
    assert cache.get("0" * 64) is None, "an entry is good under its own key only"


def test_the_cache_is_used_and_bounded_and_shared(render: Render, tmp_path: Path) -> None:
    cache = BuildCache(tmp_path / "cache", max_entries=5)
    for name in "abcdefgh":
        render({**TEMPLATE, "apps/a.yaml": config_map(name)}, cache)
    assert len(list(cache.folder.iterdir())) == 5
    content = {**TEMPLATE, "apps/a.yaml": config_map("h")}
    layout = Layout(MemoryTree(content))
    key = build_key(close(layout, find_top(layout, "apps")), layout.tree, kustomize.kustomize_id())
    planted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "planted"}}
    assert BuildCache(tmp_path / "cache").put(key, [Document("apps", 0, planted)])
    assert [item["metadata"]["name"] for item in render(content, cache).objects] == ["planted"]
    assert [item["metadata"]["name"] for item in render(content).objects] == ["x-h"]


def test_a_cache_that_cannot_be_written_changes_nothing(render: Render, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    content = {**TEMPLATE, "apps/a.yaml": config_map("a")}
    assert render(content, BuildCache(tmp_path / "file" / "cache")).objects
