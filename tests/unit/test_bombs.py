"""Alias bombs are found in whatever kustomize reads as YAML, before it runs, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.property.strategies import MemoryTree, config_map
from weir.render.bombs import refuse_bombs
from weir.render.closure import close
from weir.render.layout import Layout
from weir.render.top import find_top
from weir.spec.errors import RenderError

LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
BOMB = config_map("bomb") + LAUGHS
HIDDEN = {
    "no suffix": ("resources: [bomb]", BOMB),
    "patch": ("patches: [{path: bomb}]", BOMB),
    "merge patch": ("patchesStrategicMerge: [bomb]", BOMB),
    "JSON patch": ("patchesJson6902: [{path: bomb, target: {kind: ConfigMap, name: a}}]", BOMB),
    "replacement": ("replacements: [{path: bomb}]", LAUGHS),
    "configuration": ("configurations: [bomb]", LAUGHS),
    "custom resources": ("crds: [bomb]", LAUGHS),
    "openapi": ("openapi: {path: bomb}", LAUGHS),
    "content and resource": ("configMapGenerator: [{name: c, files: [bomb]}]\nresources: [bomb]", BOMB),
    "names with a dash": ("resources: [bomb]", BOMB.replace("&a", "&-a").replace("*a", "*-a")),
    "another line break": (
        "resources: [bomb]",
        BOMB.replace(" *a", "\x85*a").replace("[*a", "[\u2028*a"),
    ),
    "UTF-16": ("resources: [bomb]", BOMB.encode("utf-16-le").join([b"\xff\xfe", b""])),
    "UTF-16, big end first": ("resources: [bomb]", BOMB.encode("utf-16-be").join([b"\xfe\xff", b""])),
    "UTF-16 after UTF-8": ("resources: [bomb]", f"{config_map('b')}\n---\n".encode() + BOMB.encode("utf-16")),
    "UTF-8 after UTF-16": ("resources: [bomb]", "#\u2d0a\u2d2d\n".encode("utf-16") + BOMB.encode()),
    "inline patch": ("patches: [{patch: TEXT}]", BOMB),
    "inline JSON patch": ("patchesJson6902: [{patch: TEXT, target: {kind: ConfigMap, name: a}}]", BOMB),
    "plugin": ("transformers: [PLUGIN]", '{"kind": "PatchTransformer", "Patch": TEXT}'),
    "plugin of JSON": ("transformers: [PLUGIN]", '{"kind": "PatchJson6902Transformer", "jsonOp": TEXT}'),
    "plugin of merges": (
        "transformers: [PLUGIN]",
        '{"kind": "PatchStrategicMergeTransformer", "patches": TEXT}',
    ),
}


def refuse(fields: str, **files: str | bytes) -> None:
    content: dict[str, Any] = {"kustomization.yaml": f"{fields}\n", **files}
    layout = Layout(MemoryTree(content))
    refuse_bombs(close(layout, find_top(layout, "")), layout.tree)


@pytest.mark.parametrize(("fields", "bomb"), HIDDEN.values(), ids=list(HIDDEN))
def test_aliases_of_aliases_are_found_wherever_kustomize_reads_yaml(fields: str, bomb: str | bytes) -> None:
    if "PLUGIN" in fields:
        plugin = str(bomb).replace("TEXT", json.dumps(BOMB)).replace("{", '{"apiVersion": "builtin", ', 1)
        fields = fields.replace("PLUGIN", json.dumps(plugin))
    if "TEXT" in fields:
        fields = fields.replace("TEXT", json.dumps(bomb))
    with pytest.raises(RenderError, match=r"found aliases that stand for over|found UTF-16, expected UTF-8"):
        refuse(fields, bomb=bomb)


def test_the_place_of_a_bomb_is_named() -> None:
    with pytest.raises(
        RenderError, match=r"^kustomization.yaml: patches\[1\].patch: line 12, column 50: not readable"
    ):
        refuse(f"patches: [{{patch: a}}, {{patch: {json.dumps(BOMB)}}}]")
    with pytest.raises(RenderError, match=r"^bomb: line 12, column 50: not readable as YAML: found aliases"):
        refuse("resources: [bomb]", bomb=BOMB)


def test_what_only_fills_a_config_map_may_look_like_anything() -> None:
    fields = f"files: [bomb, utf16], envs: [env], literals: [{json.dumps(f'patch={LAUGHS}')}]"
    env = "".join(f"a{n}= *a *a\n" for n in range(99))
    generator = f"configMapGenerator: [{{name: c, {fields}}}]"
    refuse(generator, bomb=LAUGHS, utf16=LAUGHS.encode("utf-16"), env=env)


def test_a_text_in_utf_16_that_is_no_bomb_passes() -> None:
    text = config_map("a", key="\u00e4") + "".join(f"# *a{n}\n" for n in range(99))
    refuse("resources: [utf16]", utf16=text.encode("utf-16"))
    with pytest.raises(RenderError, match="utf16: found UTF-16, expected UTF-8 text"):
        refuse("resources: [utf16]", utf16=text.encode("utf-16")[:-1])


def test_what_only_looks_like_aliases_passes() -> None:
    stars = "".join(f"k{n}: 'x *a'\n" for n in range(99))
    refuse("resources: [stars]", stars=stars)
