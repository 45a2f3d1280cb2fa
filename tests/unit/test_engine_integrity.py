"""What is a whole checkpoint, and what the pickles in it may be."""

from __future__ import annotations

import base64
import copy
import gzip
import hashlib
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from weir.edges.pulumi.integrity import CorruptError, UncheckedError, read_checkpoint
from weir.edges.pulumi.project import EngineError
from weir.edges.pulumi.references import OWN, check_providers, reference
from weir.edges.pulumi.targets import find_targets
from weir.spec.identity import UnitId

STACK = "urn:pulumi:dev::tiny::pulumi:pulumi:Stack::tiny-dev"
PROVIDER = "urn:pulumi:dev::tiny::pulumi:providers:weir::default"
SOURCE = "urn:pulumi:dev::tiny::weir:index:Source$pulumi-python:dynamic/weir:GitRepository::flux-system/apps"
HOLDER = "urn:pulumi:dev::tiny::weir:index:Kustomization::flux-system/apps"
UNIT = "urn:pulumi:dev::tiny::weir:index:Kustomization$weir:kustomize:Kustomization::flux-system/apps"


def resource(urn: str, **more: Any) -> dict[str, Any]:
    kind = urn.split("::")[2].rpartition("$")[2]
    return {"urn": urn, "custom": "id" in more, "type": kind, **more}


RESOURCES = [
    resource(STACK),
    resource(PROVIDER, id="p1"),
    resource(SOURCE, id="s", parent=STACK, inputs={"unit": "GitRepository/flux-system/apps"}),
    resource(HOLDER, parent=STACK, dependencies=[SOURCE]),
    resource(
        UNIT,
        id="u",
        parent=HOLDER,
        provider=f"{PROVIDER}::p1",
        propertyDependencies={"source": [SOURCE]},
        inputs={"unit": "Kustomization/flux-system/apps", "source": "GitRepository/flux-system/apps"},
    ),
]


def document() -> dict[str, Any]:
    magic = hashlib.sha256(b"v3.259.0").hexdigest()
    manifest = {"time": "2026-11-21T11:09:58.901517793Z", "magic": magic, "version": "v3.259.0"}
    latest = {"manifest": manifest, "resources": copy.deepcopy(RESOURCES)}
    return {"version": 3, "checkpoint": {"stack": "organization/tiny/dev", "latest": latest}}


def read(found: object) -> Any:
    return read_checkpoint(json.dumps(found).encode(), "tiny", "dev")


def test_a_whole_checkpoint_is_read() -> None:
    found = read(document())
    assert len(found.resources) == 5
    assert found.time.isoformat() == "2026-11-21T11:09:58.901517+00:00"


def test_a_new_stack_has_no_deployment() -> None:
    assert read({"version": 3, "checkpoint": {"stack": "organization/tiny/dev"}}).resources == []


def test_gzip_is_read_and_zstd_is_not_judged() -> None:
    raw = gzip.compress(json.dumps(document()).encode())
    assert len(read_checkpoint(raw, "tiny", "dev").resources) == 5
    with pytest.raises(CorruptError):
        read_checkpoint(raw[:-9], "tiny", "dev")
    with pytest.raises(UncheckedError):
        read_checkpoint(b"\x28\xb5\x2f\xfd....", "tiny", "dev")


Harm = Callable[[dict[str, Any]], object]
HARMS: dict[str, Harm] = {
    "a key of the deployment flipped: Pulumi would see an empty stack": lambda d: _rename(
        d["checkpoint"]["latest"], "resources", "resourcds"
    ),
    "latest flipped": lambda d: _rename(d["checkpoint"], "latest", "lauest"),
    "another stack": lambda d: d["checkpoint"].update(stack="organization/tiny/prod"),
    "magic": lambda d: d["checkpoint"]["latest"]["manifest"].update(magic="0" * 64),
    "version": lambda d: d.update(version=7),
    "missing parent": lambda d: _resources(d).pop(3),
    "parent after child": lambda d: _resources(d).reverse(),
    "missing provider": lambda d: _resources(d)[1].update(id="p2"),
    "urn twice": lambda d: _resources(d).append(copy.deepcopy(_resources(d)[4])),
    "urn of another type": lambda d: _resources(d)[4].update(type="weir:kustomize:Kustomizatiom"),
    "urn of another project": lambda d: _resources(d)[0].update(urn=STACK.replace("tiny::", "tyny::")),
    "no urn": lambda d: _resources(d)[0].pop("urn"),
    "id on a component": lambda d: _resources(d)[3].update(id="x"),
    "resources is a text": lambda d: d["checkpoint"]["latest"].update(resources="x"),
    "dependencies is a number": lambda d: _resources(d)[3].update(dependencies=7),
    "the whole is a list": lambda d: d.clear(),
}


@pytest.mark.parametrize("harm", HARMS)
def test_harm_is_found(harm: str) -> None:
    harmed = document()
    HARMS[harm](harmed)
    with pytest.raises(CorruptError):
        read(harmed)


def test_keys_of_a_newer_pulumi_are_no_harm() -> None:
    found = document()
    found["checkpoint"]["latest"]["brandNew"] = {}
    _resources(found)[0]["alsoNew"] = True
    assert len(read(found).resources) == 5


def test_a_resource_waiting_for_deletion_may_share_its_urn() -> None:
    found = document()
    _resources(found).append(copy.deepcopy(_resources(found)[4]) | {"delete": True})
    assert len(read(found).resources) == 6


@pytest.mark.parametrize(
    "raw", [b"", b"  ", b"\x00" * 64, b"{", b"[1]", b"null", b"\xff\xfe", b'{"version": NaN}', b"[" * 9999]
)
def test_bytes_that_are_no_checkpoint(raw: bytes) -> None:
    with pytest.raises(CorruptError):
        read_checkpoint(raw, "tiny", "dev")


def _resources(found: dict[str, Any]) -> list[dict[str, Any]]:
    return found["checkpoint"]["latest"]["resources"]  # type: ignore[no-any-return]


def _rename(mapping: dict[str, Any], old: str, new: str) -> None:
    mapping[new] = mapping.pop(old)


def by_reference(module: str, name: str) -> str:
    texts = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    return base64.b64encode(b"\x80\x04" + texts + b"\x93)\x81.").decode()


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (eval, ("1",))


OWN_VALUE = by_reference("components.dynamic.git_repository", "GitSyncProvider")
FOREIGN = {
    "code": base64.b64encode(pickle.dumps(Evil())).decode(),
    "another class": by_reference("os", "system"),
    "a class with state": base64.b64encode(b"\x80\x04\x8c\x01a\x8c\x01b\x93)\x81}b.").decode(),
    "no pickle": "!!!",
    "cut off": OWN_VALUE[:20],
    "a sealed value": {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "ciphertext": "v1:x",
    },
    "nothing": None,
}


def test_our_own_reference_is_allowed() -> None:
    assert reference(OWN_VALUE) == "components.dynamic.git_repository:GitSyncProvider"
    check_providers([resource(SOURCE, id="s", inputs={"__provider": OWN_VALUE})], OWN)


def test_property_names_are_no_providers() -> None:
    check_providers([resource(SOURCE, id="s", propertyDependencies={"__provider": []})], OWN)


@pytest.mark.parametrize("case", FOREIGN)
@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_anything_else_is_refused_by_name(case: str, side: str) -> None:
    nested = {"a": [{"__provider": FOREIGN[case]}]}
    with pytest.raises(EngineError, match="flux-system/apps"):
        check_providers([resource(SOURCE, id="s", **{side: nested})], OWN)


def test_a_unit_brings_its_source_and_a_source_its_dependents() -> None:
    unit = UnitId("Kustomization", "flux-system", "apps")
    assert find_targets(RESOURCES, [unit]) == ((HOLDER, UNIT, SOURCE), False)
    assert find_targets(RESOURCES, [UnitId("GitRepository", "flux-system", "apps")]) == ((SOURCE,), True)


def test_an_unknown_target_names_the_known() -> None:
    with pytest.raises(
        EngineError, match="known are GitRepository/flux-system/apps, Kustomization/flux-system/apps"
    ):
        find_targets(RESOURCES, [UnitId("Kustomization", "flux-system", "web")])
