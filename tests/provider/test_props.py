"""Nothing that comes from a manifest means anything to the engine."""

from __future__ import annotations

from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import rpc

from provider.props import from_struct, plain, property_path, to_struct

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
UNKNOWNS = ["04da6b54-80e4-46f7-96ec-b56ff0331ba9", "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2"]

texts = st.text(max_size=20) | st.sampled_from(
    [SIGNATURE, SECRET, ASSET, "__provider", "__defaults", *UNKNOWNS]
)
values = st.dictionaries(texts, texts | st.dictionaries(texts, texts, max_size=3), max_size=4)


@given(values)
def test_no_manifest_text_becomes_a_secret_an_asset_or_an_unknown(value: dict[str, object]) -> None:
    struct = to_struct({"changes": plain(value)})
    read = rpc.deserialize_properties(struct, keep_unknowns=True)
    assert not rpc.contains_unknowns(read)
    assert read["changes"] == json_format.MessageToDict(struct)["changes"]
    assert len(read["changes"]) == len(value)


def test_plain_props_survive_the_wire() -> None:
    props = {"unit": "a", "changes": {"Deployment/prod/web": {"spec.replicas": "2 -> 3"}}}
    assert from_struct(to_struct(props)) == props


def test_paths_quote_what_object_ids_hold() -> None:
    path = property_path("changes", "Deployment/prod/web-7", 'a"b\\c')
    assert path == 'changes["Deployment/prod/web-7"]["a\\"b\\\\c"]'
