"""`weir trace`: the forms in which objects are named."""

from __future__ import annotations

import pytest

from weir.cli import main, parse
from weir.cli.trace import _wanted
from weir.flow.trace import Wanted

WEB, API = (
    Wanted(word="deployment", name=name, namespace="prod", api_version="apps/v1") for name in ("web", "api")
)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("deployment web", [WEB]),
        ("deployment/web", [WEB]),
        ("web --kind=deployment", [WEB]),
        ("deployment web api", [WEB, API]),
        ("deployment/web deployment/api", [WEB, API]),
        ("web api --kind deployment", [WEB, API]),
    ],
)
def test_objects_are_named_in_fluxs_forms(words: str, expected: list[Wanted]) -> None:
    flags = ["-n", "prod", "--api-version", "apps/v1", "-s", "production"]
    _, args = parse(["trace", *words.split(), *flags])
    assert _wanted(args) == expected


@pytest.mark.parametrize(
    "words", ["deployment", "deployment/", "/web", "deployment/web api", "deployment a/b", "a/b --kind=c"]
)
def test_other_forms_are_refused(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", *words.split(), "-s", "production"]) == 1
    assert "expected KIND NAME, KIND/NAME or NAME --kind=KIND" in capsys.readouterr().err
