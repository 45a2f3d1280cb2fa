"""The examples on the page about errors are what the code says today."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from demo.stack import PROJECT
from weir.edges.git.objects import Signed
from weir.edges.git.signatures import Keys, verify
from weir.edges.kube.client import Kube
from weir.edges.kube.kubeconfig import Access
from weir.edges.pulumi.passphrase import Passphrase
from weir.edges.pulumi.project import StackSettings
from weir.edges.store import Store
from weir.flow.conflicts import refuse_other_stack
from weir.objects.prune import guard
from weir.render.finish import finish
from weir.render.layout import Layout
from weir.render.substitute import Variable, substitute
from weir.render.top import find_top
from weir.spec.documents import Document, read_documents
from weir.spec.errors import WeirError
from weir.spec.identity import ObjectId, UnitId
from weir.spec.kustomization import parse_kustomization
from weir.spec.record import UnitRecord
from weir.spec.stack import OptionsConfig, parse_stack

PAGE: Final = (PROJECT / "docs" / "errors.md").read_text()
UNIT: Final = UnitId("Kustomization", "flux-system", "apps")
WEB: Final = [ObjectId("apps", "Deployment", "prod", f"web-{number}") for number in range(4)]
SPACE: Final = ObjectId("", "Namespace", "", "prod")
FLEET: Final = """
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {interval: %s, prune: true, sourceRef: {kind: GitRepository, name: fleet}}
"""


def unit(interval: str = "5m") -> Any:
    return parse_kustomization(read_documents(FLEET % interval, "production/fleet.yaml")[0])


def manifest(file: str, kind: str, name: str, **rest: Any) -> Document:
    meta = {"name": name, "namespace": "prod"}
    return Document(file, 0, {"apiVersion": "v1", "kind": kind, "metadata": meta, **rest})


def undefined_variable() -> None:
    web = manifest("apps/web.yaml", "ConfigMap", "web", data={"A": "${REGION}"})
    substitute([web], {"OTHER": Variable(value="x", secret=False, origin="a")})


def encrypted() -> None:
    finish([manifest("apps/token.yaml", "Secret", "token", sops={})], unit())


def guarded(inventory: list[ObjectId], doomed: list[ObjectId]) -> Callable[[], None]:
    kept = [item for item in inventory if item not in doomed]
    return lambda: guard(UNIT, inventory=inventory, desired=kept, doomed=doomed, live={}, annotations={})


def unsigned() -> None:
    verify(Signed(payload=b"", signature=b""), Keys(), "commit 9c41d0aa", Path())


def of_another_stack() -> None:
    record = UnitRecord(id=UNIT, stack="staging")
    refuse_other_stack(record, "production", OptionsConfig())


CASES: Final[dict[str, Callable[[], object]]] = {
    "duration": lambda: unit("5x"),
    "settings": lambda: parse_stack("a", {}, "stacks/Pulumi.production.yaml"),
    "undefined variable": undefined_variable,
    "encrypted": encrypted,
    "most of a unit": guarded(WEB, WEB[1:]),
    "namespace": guarded([*WEB, SPACE], [SPACE]),
    "unsigned": unsigned,
    "another stack": of_another_stack,
    "passphrase": lambda: Passphrase(None).check_given("production", StackSettings(file=Path("a"))),
}


@pytest.mark.parametrize("case", CASES)
def test_the_example_is_what_is_printed(case: str) -> None:
    with pytest.raises(WeirError) as err:
        CASES[case]()
    assert f"{err.value}\n" in PAGE


def test_a_missing_path_reads_as_on_the_page(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    tree = store.tree(store.put({"apps/web.yaml": b""}))
    with pytest.raises(WeirError) as err:
        find_top(Layout(tree), "nowhere")
    assert f"{err.value}\n" in PAGE


def test_an_unreachable_cluster_reads_as_on_the_page() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kube = Kube(Access(server=f"https://127.0.0.1:{port}", where="a"))
    with pytest.raises(WeirError) as err:
        kube.request("GET", "/version")
    assert str(err.value).replace(str(port), "6443") in PAGE
