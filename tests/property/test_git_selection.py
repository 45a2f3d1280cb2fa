"""Laws of version ranges and of ref precedence."""

from __future__ import annotations

import pytest
import semver
from hypothesis import given
from hypothesis import strategies as st

from weir.select import git_ref
from weir.select.semver_range import SemverRange, parse_version
from weir.spec.errors import SourceError, SpecError
from weir.spec.git_repository import GitRef

pytestmark = pytest.mark.property

number = st.integers(0, 6)
prerelease = st.none() | st.sampled_from(["alpha", "alpha.1", "beta.2", "rc.1", "0"])
versions = st.builds(semver.Version, number, number, number, prerelease)
releases = st.builds(semver.Version, number, number, number)
commits = st.text("0123456789abcdef", min_size=40, max_size=40)
part = st.sampled_from(["", "^", "~", "=", "!=", ">", ">=", "<", "<="])
wild = st.one_of(releases.map(str), st.builds("{}.{}".format, number, number), number.map(str), st.just("*"))
constraints = st.builds("{}{}".format, part, wild)
ranges = st.lists(st.lists(constraints, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=3).map(
    " || ".join
)


class TestRanges:
    """An alternative is the conjunction of its parts, a range the disjunction of its alternatives."""

    @given(ranges, ranges, versions)
    def test_or_is_union(self, left: str, right: str, version: semver.Version) -> None:
        both = SemverRange.parse(f"{left} || {right}").matches(version)
        assert both == (SemverRange.parse(left).matches(version) or SemverRange.parse(right).matches(version))

    @given(constraints, constraints, releases)
    def test_and_is_intersection_however_it_is_written(
        self, left: str, right: str, version: semver.Version
    ) -> None:
        want = SemverRange.parse(left).matches(version) and SemverRange.parse(right).matches(version)
        for separator in (" ", ",", " , ", ", "):
            assert SemverRange.parse(left + separator + right).matches(version) == want

    @given(releases, releases)
    def test_caret_and_tilde_are_the_ranges_they_stand_for(
        self, base: semver.Version, version: semver.Version
    ) -> None:
        tilde = f">={base} <{base.bump_minor()}"
        if (base.major, base.minor, base.patch) != (0, 0, 0):
            assert SemverRange.parse(f"~{base}").matches(version) == SemverRange.parse(tilde).matches(version)
        bumps = (base.bump_major(), base.bump_minor(), base.bump_patch())
        upper = next(
            (new for new, old in zip(bumps, (base.major, base.minor), strict=False) if old), bumps[2]
        )
        caret = f">={base} <{upper}"
        assert SemverRange.parse(f"^{base}").matches(version) == SemverRange.parse(caret).matches(version)

    @given(constraints, versions)
    def test_prereleases_only_when_asked(self, text: str, version: semver.Version) -> None:
        if version.prerelease:
            assert not SemverRange.parse(text).matches(version)

    @given(versions)
    def test_a_version_matches_itself_with_or_without_v(self, version: semver.Version) -> None:
        assert SemverRange.parse(f"v{version}").matches(version)
        assert parse_version(f"v{version}") == parse_version(str(version)) == version

    @given(st.text(max_size=30))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        try:
            SemverRange.parse(text).matches(semver.Version(1, 2, 3))
        except SpecError as err:
            assert "semver range" in str(err)  # noqa: PT017 - only this error may come


class TestNewest:
    """The tag chosen is in the range, and no tag in the range is greater."""

    @given(st.lists(st.tuples(versions, commits), max_size=12), ranges)
    def test_latest(self, tags: list[tuple[semver.Version, str]], text: str) -> None:
        refs = {f"refs/tags/v{version}": commit for version, commit in tags}
        wanted = SemverRange.parse(text)
        fitting = [version for version, _ in tags if wanted.matches(version)]
        try:
            targets = git_ref.candidates(GitRef(semver=text, branch="main"), refs)
        except SourceError:
            assert not fitting
            return
        for target in targets:
            found = parse_version(target.name.removeprefix("refs/tags/"))
            assert found is not None
            assert wanted.matches(found)
            assert not any(other > found for other in fitting)
            assert target.commit == refs[target.name]


class TestPrecedence:
    """Fields of lower precedence change nothing (a branch beside a commit only names it)."""

    refs = st.fixed_dictionaries(
        dict.fromkeys(
            ("refs/heads/main", "refs/tags/v1.0.0", "refs/tags/v2.0.0", "refs/pull/1/head"), commits
        )
    )

    @given(refs, st.sampled_from(["", "main", "absent"]), st.sampled_from(["", "v1.0.0", "absent"]))
    def test_lower_fields_are_not_looked_at(self, refs: dict[str, str], branch: str, tag: str) -> None:
        low = {"branch": branch, "tag": tag}
        assert (
            git_ref.candidates(GitRef(name="refs/pull/1/head", semver="9.x", **low), refs)[0].commit
            == (refs["refs/pull/1/head"])
        )
        assert git_ref.candidates(GitRef(semver="1.x", **low), refs)[0].commit == refs["refs/tags/v1.0.0"]
        assert (
            git_ref.candidates(GitRef(tag="v2.0.0", branch=branch), refs)[0].commit
            == refs["refs/tags/v2.0.0"]
        )

    @given(refs, commits)
    def test_a_commit_beats_everything(self, refs: dict[str, str], commit: str) -> None:
        ref = GitRef(commit=commit, name="refs/heads/main", semver="1.x", tag="v2.0.0")
        (target,) = git_ref.candidates(ref, refs)
        assert git_ref.revision(ref, target) == f"sha1:{commit}"
