"""The page about CEL names every function that there is, and its examples are valid."""

from __future__ import annotations

import re
from typing import Final

import yaml

from demo.stack import PROJECT
from weir.objects.cel import MAX_LENGTH, MAX_NESTING, MAX_STEPS, compile_check, judge
from weir.objects.cel_functions import FUNCTIONS, METHODS, NAMESPACED
from weir.objects.cel_syntax import MACROS

PAGE: Final = (PROJECT / "docs" / "cel.md").read_text()
FORMS: Final = {"a.?b", "a[?b]", "[?a]", "{?a: b}"}


def test_every_function_is_named_and_no_other() -> None:
    table = PAGE.partition("## What there is")[2].partition("Anything else")[0]
    named = set(re.findall(r"`([^`]+)`", table))
    assert named == {*FUNCTIONS, *METHODS, *NAMESPACED, *MACROS, "has", *FORMS}


def test_the_example_is_what_it_says() -> None:
    example = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (rule,) = yaml.safe_load(example[0])["healthCheckExprs"]
    ready = {"status": {"phase": "Up", "conditions": [{"type": "Ready", "status": "True"}]}}
    for name, answer in (("current", True), ("failed", False)):
        compile_check(rule[name])
        assert judge(rule[name], ready) is answer
        assert judge(rule[name], {"status": {}}) is False


def test_the_limits_are_those_of_the_code() -> None:
    limits = (f"{MAX_LENGTH:,} characters", f"{MAX_NESTING} brackets", f"{MAX_STEPS:,} steps")
    assert all(limit in PAGE for limit in limits)
