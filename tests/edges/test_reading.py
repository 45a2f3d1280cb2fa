"""Large YAML read by two processes: the same values and the same errors as by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.property.strategies import MemoryTree
from weir.edges import reading
from weir.edges.reading import helped
from weir.render.plain import read_plain
from weir.spec.documents import load_yaml
from weir.spec.errors import RenderError

FILES = [f"part-{number:02}.yaml" for number in range(20)]
ODD = 'a: [1, 0x10, 1e3, -0.0, 18446744073709551615, "1", yes, null, ~, .5, "\\u00e9\\U0001F600"]\nb: {}\n'


def part(number: int) -> str:
    head = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: part-{number}}}\n"
    lines = (f'  key-{line:04}: "{"x" * 50} {number}"' for line in range(900))
    return f"{head}data:\n" + "\n".join(lines) + "\n---\n" + head.replace("part", "more") + ODD


def content(**changed: str) -> dict[str, Any]:
    texts: dict[str, Any] = {file: part(number) for number, file in enumerate(FILES)}
    return texts | {f"{name}.yaml".replace("_", "-"): text for name, text in changed.items()}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Which files this process read itself."""
    seen: list[str] = []

    def counted(text: bytes, file: str) -> Any:
        seen.append(file)
        return load_yaml(text, file)

    monkeypatch.setattr(reading, "load_yaml", counted)
    yield seen
    assert not [one for one in psutil.Process().children(recursive=True) if "reading" in str(one.cmdline())]


def test_the_second_half_comes_from_another_process_and_is_the_same(calls: list[str]) -> None:
    tree = MemoryTree(content())
    with helped(tree, FILES) as load:
        found = [load(tree.read(file), file) for file in FILES]
    assert found == [load_yaml(tree.read(file), file) for file in FILES]
    assert [type(value) for value in found[-1].values[1]["a"]] == [
        type(value) for value in load_yaml(ODD, "").values[0]["a"]
    ]
    assert calls == FILES[: len(calls)]
    assert 10 <= len(calls) < 15


def test_an_error_in_the_other_half_is_the_error_of_one_reader(calls: list[str]) -> None:
    tree = MemoryTree(content(part_17="a: 1\na: 2\n"))
    with pytest.raises(RenderError) as alone:
        read_plain(tree, FILES)
    with pytest.raises(RenderError) as both, helped(tree, FILES) as load:
        read_plain(tree, FILES, load)
    assert str(both.value) == str(alone.value)
    assert "part-17.yaml: line 2" in str(both.value)
    assert "part-17.yaml" in calls


def test_what_only_kustomize_can_tell_is_seen_in_the_other_half(calls: list[str]) -> None:
    odd = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {1: x}\n"
    tree = MemoryTree(content(part_19=odd))
    with helped(tree, FILES) as load:
        assert read_plain(tree, FILES, load) is None
    assert "part-19.yaml" not in calls


def test_without_the_other_process_all_is_read_here(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weir.edges.reading.sys.executable", "/nonexistent/python")
    tree = MemoryTree(content())
    with helped(tree, FILES) as load:
        assert [load(tree.read(file), file).values for file in FILES]
    assert calls == FILES


def test_leaving_early_leaves_no_process(calls: list[str]) -> None:
    with pytest.raises(KeyError), helped(MemoryTree(content()), FILES):
        raise KeyError
    assert calls == []


def test_small_units_are_read_here(calls: list[str]) -> None:
    tree = MemoryTree(dict.fromkeys(FILES, "a: 1\n"))
    with helped(tree, FILES) as load:
        assert [load(tree.read(file), file).values for file in FILES] == [({"a": 1},)] * 20
    assert calls == FILES
