"""A secret variable that a parent puts into a unit's own document stays a secret, wherever the document goes."""

from __future__ import annotations

from typing import Any

from provider.report import spec_props
from weir.flow.outcome import UnitOutcome, decode, encode
from weir.flow.tree import UnitTree
from weir.render.finish import finish
from weir.render.substitute import Variable, collect_variables, substitute
from weir.spec.confidential import open_data
from weir.spec.documents import Document
from weir.spec.kustomization import parse_kustomization

SECRET = "correct-horse"


def unit(name: str, **spec: Any) -> dict[str, Any]:
    source = {"kind": "GitRepository", "name": "repo"}
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "flux"},
        "spec": {"interval": "10m", "prune": True, "sourceRef": source, **spec},
    }


def children(*documents: dict[str, Any]) -> tuple[Document, ...]:
    """What a parent with the secret variable `word` declares."""
    parent = parse_kustomization(Document("stack.yaml", 0, unit("parent")))
    given = [Document("apps/child.yaml", index, data) for index, data in enumerate(documents)]
    filled = substitute(given, {"word": Variable(value=SECRET, secret=True, origin="Secret/values")})
    return finish(filled.documents, parent, filled.secret).children


def test_only_a_child_with_the_secret_is_confidential() -> None:
    handed, plain = children(unit("a", postBuild={"substitute": {"x": "${word}"}}), unit("b", path="./b"))
    assert (handed.confidential, plain.confidential) == (True, False)


def test_what_was_handed_on_is_a_secret_variable_of_the_child() -> None:
    (handed,) = children(unit("a", postBuild={"substitute": {"x": "${word}", "y": "open"}}))
    outcome = decode(encode(UnitOutcome(spec=parse_kustomization(handed), document=handed)))
    assert isinstance(outcome, UnitOutcome)
    assert outcome.document.confidential, "the next process of the run has to know"
    found = collect_variables(outcome.spec, lambda *_: None)
    assert (found["x"].value, found["x"].secret) == (SECRET, True)


def test_neither_record_nor_state_keep_it() -> None:
    patches = [{"patch": f"- {{op: add, path: /data/a, value: {SECRET}}}", "target": {"kind": "ConfigMap"}}]
    spec = {"postBuild": {"substitute": {"x": "${word}"}}, "patches": patches, "namePrefix": "${word}-"}
    (handed,) = children(unit("a", path="./a", deletionPolicy="Orphan", **spec))
    assert SECRET in str(handed.data)
    kept = open_data(handed)
    assert parse_kustomization(Document("record", 0, kept)).deletion_policy == "Orphan"
    props = spec_props(handed)
    assert SECRET not in str(kept) + str(props)
    assert props["path"] == "./a", "what cannot hold it stays readable"
    assert set(props) == set(handed.data["spec"]) - {"sourceRef"}, "a change of any field is seen"


def test_an_error_about_it_does_not_repeat_it() -> None:
    tree = UnitTree()
    assert tree.declare(children(unit("a", timeout="${word}")), "parent") == []
    (problem,) = tree.problems
    assert SECRET not in problem.message
    assert "spec.timeout" in problem.message
    assert "expected" in problem.message


def test_documents_without_a_secret_are_kept_and_shown_as_they_are() -> None:
    (plain,) = children(unit("b", path="./b", namePrefix="x-"))
    assert open_data(plain) == plain.data
    assert spec_props(plain)["namePrefix"] == "x-"
    tree = UnitTree()
    tree.declare(children(unit("c", timeout="soon")))
    assert "found 'soon'" in tree.problems[0].message
