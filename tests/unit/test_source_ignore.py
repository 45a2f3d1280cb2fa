"""Which files stay out of an artifact."""

from __future__ import annotations

import pytest

from weir.render.source_ignore import parse_source_ignore
from weir.spec.errors import SpecError


def kept(paths: str, spec_ignore: str | None = None, **files: str) -> list[str]:
    named = {name.replace("__", "/") + ".sourceignore": text for name, text in files.items()}
    rules = parse_source_ignore(named, spec_ignore, "GitRepository/flux-system/apps")
    return [path for path in paths.split() if not rules.excludes(path)]


def test_the_defaults_leave_out_what_flux_leaves_out() -> None:
    out = (
        ".gitignore a/.gitignore .gitmodules .gitattributes logo.jpg a/b/x.jpeg x.gif x.png x.wmv x.flv x.tar.gz x.zip "
        ".github/workflows/ci.yaml sub/.github/x.yaml .circleci/config.yml .travis.yml .gitlab-ci.yml appveyor.yml "
        ".drone.yml cloudbuild.yaml codeship-services.yml codeship-steps.yml .goreleaser.yml a/.sops.yaml .flux.yaml"
    )
    assert kept(out) == []


def test_the_defaults_keep_everything_else() -> None:
    paths = "a.yaml a/b.yml README.md github/x .github-x/y x.jpgs a.tar deploy/sops.yaml .sourceignore git/x"
    assert kept(paths) == paths.split()


def test_the_example_of_the_documentation() -> None:
    ignore = (
        "# exclude all\n/*\n# include deploy dir\n!/deploy\n# but not\n/deploy/**/*.md\n/deploy/**/*.txt\n"
    )
    paths = "top.yaml src/main.go deploy/app.yaml deploy/a/b/app.yaml deploy/README.md deploy/a/notes.txt"
    assert kept(paths, ignore) == ["deploy/app.yaml", "deploy/a/b/app.yaml"]


def test_any_pattern_replaces_the_defaults_but_for_gits_own_files() -> None:
    paths = "logo.png files/a.tar.gz a/.sops.yaml cloudbuild.yaml docs/x .gitignore a.yaml"
    stays = ["logo.png", "files/a.tar.gz", "a/.sops.yaml", "cloudbuild.yaml", "a.yaml"]
    assert kept(paths, "/docs\n") == kept(paths, **{"": "/docs\n"}) == stays
    assert kept(paths, "# no pattern\n\n") == ["docs/x", "a.yaml"]


def test_spec_ignore_overrides_defaults_and_files() -> None:
    assert kept("logo.png a.yaml secret.yaml", "!*.png\n!secret.yaml", **{"": "secret.yaml\n"}) == [
        "logo.png",
        "a.yaml",
        "secret.yaml",
    ]


def test_a_nested_file_rules_its_own_folder_only() -> None:
    paths = "x.txt apps/x.txt apps/sub/x.txt apps/sub/keep/x.txt other/sub/x.txt"
    assert kept(paths, apps__="*.txt\n", apps__sub__="!keep/\n") == [
        "x.txt",
        "apps/sub/keep/x.txt",
        "other/sub/x.txt",
    ]


def test_a_root_anchor_in_a_nested_file_means_that_folder() -> None:
    assert kept("x apps/x apps/b/x", apps__="/x\n") == ["x", "apps/b/x"]


def test_a_folder_name_with_special_characters_is_no_pattern() -> None:
    assert kept("a+b/x aab/x", **{"a+b__": "x\n"}) == ["aab/x"]


@pytest.mark.parametrize(
    ("pattern", "out", "stays"),
    [
        ("build", "build build/x a/build/x", "builds rebuild/x"),
        ("build/", "build/x a/build/x", "build a/build"),
        ("/build", "build build/x", "a/build"),
        ("a/b", "a/b a/b/c", "x/a/b"),
        ("**/foo", "foo a/foo a/b/foo/x", "foos"),
        ("a/**/b", "a/b a/x/b a/x/y/b", "b a/c"),
        ("a/**", "a/x a/x/y", "a b/a/x"),
        ("*.y?ml", "a.yaml a.yYml x/a.yaml", "a.yml a.y/ml"),
        ("[ab].yaml", "a.yaml x/b.yaml", "c.yaml"),
        ("[!ab].yaml", "c.yaml", "a.yaml"),
        ("\\#x", "#x", "x"),
        ("\\!x", "!x", "x"),
        ("x   ", "x", "xy"),
        ("x\r", "x", "xy"),
        ("a***b", "ab axxb", "a/b"),
        ("a.b", "a.b", "axb"),
    ],
)
def test_patterns(pattern: str, out: str, stays: str) -> None:
    assert kept(out, pattern) == []
    assert kept(stays, pattern) == stays.split()


def test_the_last_pattern_wins() -> None:
    assert kept("a.yaml b.yaml c.yaml", "*.yaml\n!b.yaml\n!c.yaml\nc.yaml") == ["b.yaml"]


@pytest.mark.parametrize("pattern", ["!", "x" * 2000, "**/a/**/b/**/c/**/d/**/e"])
def test_patterns_that_cannot_be_used_are_named(pattern: str) -> None:
    with pytest.raises(SpecError, match=r"GitRepository/flux-system/apps: sub/.sourceignore"):
        kept("x", sub__=pattern)


@pytest.mark.timeout(20)
def test_hostile_patterns_end_quickly() -> None:
    rules = "\n".join(
        (
            "*" + "a*" * 200 + "b",
            "**/a/**/a/**/a/**/b",
            "[ab]*[ab]*[ab]*[ab]*[ab]*[ab]*c",
            "*\\(*\\(*\\(*\\(*\\(*x",
        )
    )
    assert kept("a" * 255 + " " + "a/" * 60 + "c" + " " + "(" * 255, rules) == [
        "a" * 255,
        "a/" * 60 + "c",
        "(" * 255,
    ]
    assert kept("a" * 250 + "b", rules) == []
