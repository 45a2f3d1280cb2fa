"""The page about notifications: the types that it lists are those of the code."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.docs.test_reference import section
from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.provider import COMMENT_TYPES, MESSAGE_TYPES, STATUS_TYPES, parse_provider

TYPES: Final = section("notifications.md", "Types")
MISSING: Final = re.findall(r"`(\w+)`", TYPES[TYPES.index("Of Flux's types") :].partition(" is not there")[0])


def test_every_type_is_in_the_table_and_no_other() -> None:
    rows = re.findall(r"^\| (`[^|]*`) \|", TYPES, re.MULTILINE)
    listed = [tuple(re.findall(r"`([\w.-]+)`", row)) for row in rows[1:]]
    assert listed == [MESSAGE_TYPES, STATUS_TYPES, COMMENT_TYPES]


def test_types_of_flux_that_are_said_to_be_missing_are() -> None:
    assert MISSING == ["nats"]
    for name in MISSING:
        with pytest.raises(SpecError, match=r"spec\.type"):
            parse_provider(_provider(name))
    assert parse_provider(_provider("slack")).type == "slack"


def _provider(name: str) -> Document:
    version = "notification.toolkit.fluxcd.io/v1beta3"
    data = {"apiVersion": version, "kind": "Provider", "metadata": {"name": "a"}, "spec": {"type": name}}
    return Document("a.yaml", 0, data)
