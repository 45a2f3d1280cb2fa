"""Laws of ignore patterns, with git itself as the judge."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from weir.render.source_ignore import parse_source_ignore

pytestmark = pytest.mark.property

name = st.sampled_from(["a", "b", "ab", "x.yaml", "y.yaml", "a.b", "A", "foo", "(", "a b"])
paths = st.lists(name, min_size=1, max_size=4).map("/".join)
atom = st.sampled_from(
    ["a", "b", "*", "?", "foo", "x.yaml", "*.yaml", "[ab]", "[!a]", "a*", "*b*", "a*b*", "\\(", "**", ".b"]
)
slash = st.sampled_from(["", "/"])
patterns = st.builds("{}{}{}".format, slash, st.lists(atom, min_size=1, max_size=3).map("/".join), slash)


def ignored_by_git(rules: list[str], asked: list[str]) -> set[str]:
    with tempfile.TemporaryDirectory() as folder:
        env = {"PATH": os.environ["PATH"], "HOME": folder, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", "init", "-q", folder], env=env, check=True, timeout=20)
        (Path(folder) / ".gitignore").write_text("\n".join(rules) + "\n")
        done = subprocess.run(
            ["git", "check-ignore", "--no-index", "-z", "--stdin"],
            cwd=folder, env=env, input="\0".join(asked), capture_output=True, text=True, check=False, timeout=20,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stderr
        return set(done.stdout.split("\0")) - {""}


class TestAgainstGit:
    """Without negation, exactly the files that git ignores stay out."""

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(st.lists(patterns, min_size=1, max_size=4), st.lists(paths, min_size=1, max_size=8, unique=True))
    @example(["a*/**/"], ["ab/a", "ab/a/b", "ab/a/b/x.yaml", "a.b"])
    def test_same_files(self, rules: list[str], asked: list[str]) -> None:
        ours = parse_source_ignore({}, "\n".join(rules), "test")
        assert {path for path in asked if ours.excludes(path)} == ignored_by_git(rules, asked)


class TestOrder:
    """The last pattern that fits decides; the others keep their verdict."""

    @example(["a"], "**/a", True, "a")
    @given(st.lists(patterns, max_size=4), patterns, st.booleans(), paths)
    def test_last_wins(self, rules: list[str], last: str, negated: bool, path: str) -> None:
        fits = parse_source_ignore({}, last, "test").excludes(path)
        before = parse_source_ignore({}, "\n".join(rules), "test").excludes(path)
        after = parse_source_ignore(
            {}, "\n".join([*rules, ("!" if negated else "") + last]), "test"
        ).excludes(path)
        assert after == (not negated if fits else before)

    @given(st.lists(patterns, min_size=1, max_size=4), paths)
    def test_a_nested_file_means_the_same_below_its_folder(self, rules: list[str], path: str) -> None:
        text = "\n".join(rules)
        nested = parse_source_ignore({"in/side/.sourceignore": text}, None, "test")
        assert nested.excludes(f"in/side/{path}") == parse_source_ignore({}, text, "test").excludes(path)
        assert not nested.excludes(f"outside/{path}")
