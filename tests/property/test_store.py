"""Laws of the artifact store."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weir.edges.store import Store, StoreLimits
from weir.edges.store.manifest import check_path, format_manifest, parse_manifest
from weir.spec.errors import ArtifactError
from weir.spec.tree import TreeFile

pytestmark = pytest.mark.property

name = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=8
).filter(lambda text: text.strip(". ") not in ("", "git", "GIT", "Git") and "git" not in text.lower())
paths = st.lists(name, min_size=1, max_size=4).map("/".join)
trees = st.dictionaries(paths, st.binary(max_size=40), max_size=8)


def _conflicts(tree: dict[str, bytes]) -> bool:
    return any(other.startswith(f"{path}/") for path in tree for other in tree)


class TestRoundTrip:
    """What goes in comes out, under a digest that depends on content alone."""

    @settings(max_examples=60)
    @given(trees, trees)
    def test_put_and_read(self, first: dict[str, bytes], second: dict[str, bytes]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = Store(Path(folder) / "s")
            digests = []
            for tree in (first, second):
                if _conflicts(tree):
                    with pytest.raises(ArtifactError):
                        store.put(tree)
                    return
                digests.append(store.put(tree))
                found = store.tree(digests[-1])
                assert {path: found.read(path) for path in found.files} == tree
                assert store.put(dict(reversed(tree.items()))) == digests[-1]
                assert store.put({path: found.files[path] for path in found.files}) == digests[-1]
            assert (digests[0] == digests[1]) == (first == second)


class TestManifest:
    """A manifest reads back as what it was made of, whatever the names."""

    file = st.builds(TreeFile, st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(0, 10**6))

    @given(st.dictionaries(paths, file, max_size=8))
    def test_format_and_parse(self, files: dict[str, TreeFile]) -> None:
        text = format_manifest(files, StoreLimits())
        assert parse_manifest(text) == files
        assert list(parse_manifest(text)) == sorted(files)


part = st.sampled_from(["..", ".", "", "a", ".git", ".GIT", "b\\..", "\x00", "x\n", "é"])


class TestPaths:
    """No path that is accepted leads outside, into `.git`, or holds a control character."""

    @given(st.lists(part, max_size=5).map("/".join))
    def test_accepted_paths_stay_inside(self, path: str) -> None:
        try:
            check_path(path, StoreLimits())
        except ArtifactError:
            return
        resolved = Path("/root/of/tree", path)
        assert resolved.parts[: len(Path("/root/of/tree").parts)] == Path("/root/of/tree").parts
        assert ".." not in resolved.parts
        assert ".git" not in path.lower().split("/")
        assert path.isprintable()
