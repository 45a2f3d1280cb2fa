"""Laws of commit message templates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.edit.message import render_message
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId

pytestmark = pytest.mark.property

AUTOMATION = UnitId("ImageUpdateAutomation", "flux", "apps")
_PIECES = st.sampled_from(
    ["{{", "}}", " -}}", "{{- ", "if ", "range ", "else ", "end", ".", ".Values", "$x", ":=", "|", "(",
     ")", '"', "`", "/*", "*/", "len ", "1", "a", " ", "\n", "{{ end }}", "{{ if .Values }}", "index "]
)  # fmt: skip


@given(st.text().filter(lambda text: text and "{{" not in text))
def test_a_text_without_actions_is_its_own_message(text: str) -> None:
    assert render_message(text, AUTOMATION, (), {}, "f.yaml") == text


@given(st.lists(_PIECES, max_size=30).map("".join))
def test_any_template_gives_a_message_or_an_error_that_names_the_field(template: str) -> None:
    try:
        render_message(template, AUTOMATION, (), {"x": "y"}, "f.yaml")
    except SpecError as err:
        assert str(err).startswith("f.yaml: spec.git.commit.messageTemplate: found ")  # noqa: PT017 - both ways are right
