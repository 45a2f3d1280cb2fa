"""Which files of a repository belong to its artifact: default exclusions, `.sourceignore` files, `spec.ignore`.

Patterns are gitignore's, later ones win, and a file may come back although its folder is excluded. Order as in Flux:
Git's own files, then `.sourceignore` files from the root down (each for its own folder), then `spec.ignore`. The other
defaults hold only where there is no pattern at all (fluxcd/pkg SourceIgnoreFilter).
Rule: https://fluxcd.io/flux/components/source/gitrepositories/#excluding-files and fluxcd/pkg sourceignore
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from pathspec.patterns.gitignore import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from weir.spec.errors import SpecError

IGNORE_FILE: Final = ".sourceignore"
_OWN: Final = (".git/", ".gitignore", ".gitmodules", ".gitattributes")
_DEFAULTS: Final = (
    *("*.jpg", "*.jpeg", "*.gif", "*.png", "*.wmv", "*.flv", "*.tar.gz", "*.zip"),
    *(
        ".github/",
        ".circleci/",
        ".travis.yml",
        ".gitlab-ci.yml",
        "appveyor.yml",
        ".drone.yml",
        "cloudbuild.yaml",
    ),
    *("codeship-services.yml", "codeship-steps.yml"),
    *("**/.goreleaser.yml", "**/.sops.yaml", "**/.flux.yaml"),
)
"""Flux's built-in exclusions: pictures and archives, CI configuration, and tool settings."""

_LONGEST: Final = 1024
_MOST_DEEP: Final = 4
_MOST_PATTERNS: Final = 10_000
_STARS: Final = re.compile(r"\*{3,}|(?<=[^*/])\*{2,}|\*{2,}(?=[^*/])")
_NAMED: Final = re.compile(r"\(\?P<\w+>")
_LEAD: Final = "(?:.+/)?"
_STAR: Final = r"\[\^/\]\*"
_REPEATED: Final = re.compile(rf"{_STAR}((?:\\.|\[(?:[^\]\\]|\\.)+\](?!\*)|[^\\\[\]()/*+?|^$])+?)(?={_STAR})")


class SourceIgnore:
    """A parsed list of patterns. `excludes` is the only question it answers."""

    def __init__(self, patterns: Iterable[tuple[bool, str]]) -> None:
        grouped: list[tuple[bool, list[str]]] = []
        for exclude, regex in patterns:
            if not grouped or grouped[-1][0] is not exclude:
                grouped.append((exclude, []))
            grouped[-1][1].append(regex)
        self._groups = tuple(
            (exclude, re.compile(_union(parts), re.DOTALL)) for exclude, parts in reversed(grouped)
        )

    def excludes(self, path: str) -> bool:
        """Whether a file, named by its path from the root, stays out. The last pattern that fits decides."""
        for exclude, regex in self._groups:
            if regex.match(path):
                return exclude
        return False


def parse_source_ignore(ignore_files: Mapping[str, str], spec_ignore: str | None, where: str) -> SourceIgnore:
    """The rules of one repository.

    `ignore_files` maps the path of each `.sourceignore` to its text; `spec_ignore` is `spec.ignore`.

    Raises:
        SpecError: a pattern is broken, or would take too long to match; `where` names the document.
    """
    found: list[tuple[bool, str]] = []
    for path in sorted(ignore_files, key=lambda path: path.split("/")[:-1]):
        folder = path.rpartition("/")[0]
        for line in _lines(ignore_files[path]):
            found.extend(_parse_line(line, folder, f"{where}: {path}"))
    for line in _lines(spec_ignore or ""):
        found.extend(_parse_line(line, "", f"{where}: spec.ignore"))
    if len(found) > _MOST_PATTERNS:
        raise SpecError.at(
            where, "ignore", found=f"{len(found)} patterns", expected=f"at most {_MOST_PATTERNS}"
        )
    built_in = _OWN if found else (*_OWN, *_DEFAULTS)
    return SourceIgnore([*(rule for pattern in built_in for rule in _parse_line(pattern, "", "")), *found])


def _lines(text: str) -> list[str]:
    return [line.removesuffix("\r") for line in text.split("\n")]


def _parse_line(line: str, folder: str, where: str) -> list[tuple[bool, str]]:
    """The rule of one line, if it holds one: whether it excludes, and a regular expression for paths."""
    if line.startswith("#") or not line.strip():
        return []
    mark = "!" if line.startswith("!") else ""
    plain = mark + _STARS.sub("*", line.removeprefix(mark))
    if len(plain) > _LONGEST or plain.count("**") > _MOST_DEEP:
        expected = f"a pattern of at most {_LONGEST} characters with at most {_MOST_DEEP} times **"
        raise SpecError.at(where, "", found=line, expected=expected)
    if plain.rstrip().endswith("/**/"):
        # pathspec takes it for /**, but it means folders only
        plain = plain.rstrip() + "*/"
    try:
        pattern = GitIgnoreSpecPattern(plain)
    except (GitIgnorePatternError, re.error) as err:
        raise SpecError.at(where, "", found=line, expected="a gitignore pattern") from err
    if pattern.regex is None or pattern.include is None:
        return []
    body = _NAMED.sub("(?:", pattern.regex.pattern)
    body = body[1:] if body.startswith("^") else f".*?{body}"
    prefix = re.escape(folder) + "/" if folder else ""
    return [(pattern.include, prefix + _REPEATED.sub(r"(?>[^/]*?\1)", body))]


def _union(parts: list[str]) -> str:
    """One expression for several; those that may start in any folder share the search for it."""
    anywhere = [part.removeprefix(_LEAD) for part in parts if part.startswith(_LEAD)]
    anchored = [part for part in parts if not part.startswith(_LEAD)]
    shared = [f"{_LEAD}(?:{'|'.join(anywhere)})"] if anywhere else []
    return "|".join([*anchored, *shared])
