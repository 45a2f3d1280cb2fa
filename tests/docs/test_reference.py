"""The reference names what the code knows: fields, settings, error families; figures are quoted as measured."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from demo.stack import PROJECT
from tests.docs.quote import START, STOP, figures
from weir.spec import errors
from weir.spec.documents import Document
from weir.spec.errors import SpecError, WeirError
from weir.spec.git_repository import parse_git_repository
from weir.spec.kustomization import parse_kustomization
from weir.spec.stack import parse_stack

DOCS: Final = PROJECT / "docs"
PROBE: Final = "zzProbe"

GIT_REPOSITORY: Final[dict[str, Any]] = {
    "url": "https://git.example.com/fleet.git",
    "interval": "1m",
    "ref": {},
    "secretRef": {"name": "a"},
    "proxySecretRef": {"name": "a"},
    "verify": {"secretRef": {"name": "a"}},
    "include": [{"repository": {"name": "other"}}],
}
_TARGET: Final = {"group": "apps"}
KUSTOMIZATION: Final[dict[str, Any]] = {
    "interval": "1m",
    "prune": True,
    "sourceRef": {"kind": "GitRepository", "name": "fleet"},
    "dependsOn": [{"name": "other"}],
    "commonMetadata": {},
    "patches": [{"patch": "x", "target": dict(_TARGET)}],
    "images": [{"name": "a"}],
    "postBuild": {"substituteFrom": [{"kind": "Secret", "name": "a"}]},
    "kubeConfig": {"secretRef": {"name": "a"}},
    "healthChecks": [{"kind": "Deployment", "name": "a"}],
    "healthCheckExprs": [{"apiVersion": "v1", "current": "true"}],
    "ignore": [{"paths": ["/spec"], "target": dict(_TARGET)}],
}
STACK: Final[dict[str, Any]] = {
    "cluster": {},
    "source": {"url": "https://git.example.com/fleet.git"},
    "options": {},
}


def mappings(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping inside a value, with its path."""
    if isinstance(value, dict):
        yield path, value
        for key, item in value.items():
            yield from mappings(item, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            yield from mappings(item, f"{path}[]")


def known_fields(spec: dict[str, Any], parse: Callable[[dict[str, Any]], object]) -> set[str]:
    """Paths of all fields that a parser knows, as its complaint about an unknown one lists them."""
    found: set[str] = set()
    for path, _ in mappings(spec):
        probed = copy.deepcopy(spec)
        dict(mappings(probed))[path][PROBE] = 1
        with pytest.raises(SpecError) as err:
            parse(probed)
        match = re.search(r"expected one of ([\w, ]+)", str(err.value))
        assert match, f"{path}: {err.value}"
        assert PROBE in str(err.value)
        found |= {f"{path}.{name}".lstrip(".") for name in match[1].split(", ")}
    return found


def document(kind: str, spec: dict[str, Any]) -> Document:
    data = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec}
    return Document("a.yaml", 0, data)


def section(page: str, title: str) -> str:
    """The text below a heading, to the next of its level."""
    text = (DOCS / page).read_text()
    start = text.index(f"\n## {title}")
    return text[start : text.find("\n## ", start + 1)]


def spelled(text: str) -> set[str]:
    """Field paths in the first column of a table; `.name` beside `a.kind` stands for `a.name`."""
    found: set[str] = set()
    for row in re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE):
        parent = ""
        for name in re.findall(r"`([^`]+)`", row):
            full = parent + name if name.startswith(".") else name
            parent = full.rpartition(".")[0]
            found.add(full.removesuffix("[]"))
    return found


def leaves(fields: set[str]) -> set[str]:
    """Fields without those that only hold others."""
    return {
        field
        for field in fields
        if not any(other.startswith((f"{field}.", f"{field}[]")) for other in fields)
    }


@pytest.mark.parametrize(
    ("kind", "spec", "parse"),
    [
        ("GitRepository", GIT_REPOSITORY, parse_git_repository),
        ("Kustomization", KUSTOMIZATION, parse_kustomization),
    ],
)
def test_every_field_is_in_the_reference_and_no_other(
    kind: str, spec: dict[str, Any], parse: Callable[[Document], object]
) -> None:
    known = known_fields(spec, lambda probed: parse(document(kind, probed)))
    selector = {field for field in known if ".target." in field}
    text = section("kustomization.md", f"{kind}: `spec`")
    assert leaves(known - selector) == spelled(text)
    for field in selector:
        assert f"`{field.rpartition('.')[2]}`" in text, field


def test_every_setting_is_on_the_page_about_clusters() -> None:
    text = (DOCS / "your-cluster.md").read_text()
    known = known_fields(STACK, lambda probed: parse_stack("a", probed, "a"))
    assert len(known) > 15
    for field in known:
        parent, _, name = field.rpartition(".")
        row = re.search(rf"^\| `weir:{parent or name}` \|(.*)$", text, re.MULTILINE)
        assert row, field
        assert not parent or f"`{name}`" in row[1], field


def test_every_family_of_errors_has_its_section() -> None:
    families = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, WeirError) and value is not WeirError
    }
    titles = re.findall(r"^## (\w+)", (DOCS / "errors.md").read_text(), re.MULTILINE)
    assert families - set(titles) == set()


def test_the_readme_quotes_the_figures_as_they_were_measured() -> None:
    text = (PROJECT / "README.md").read_text()
    quoted = text[text.index(START) + len(START) : text.index(STOP)]
    hint = "run `python -m tests.docs.quote`"
    assert quoted.strip() == figures().strip(), hint
