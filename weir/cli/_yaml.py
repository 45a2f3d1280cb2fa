"""Objects as YAML for people: keys in their order, texts in quotes where a reader could take them for more."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml

from weir.spec.documents import load_yaml

_SIMPLE: Final = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./:@+-]*", re.ASCII)
_BLOCK: Final = re.compile(
    r"[^\s\x00-\x1f\x7f-\xa0][^\x00-\x09\x0b-\x1f\x7f-\xa0\u2028\u2029\ufeff]*\n", re.ASCII
)


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their key, as Flux prints them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow, False)  # noqa: FBT003

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"'
    if _SIMPLE.fullmatch(text) and not text.endswith(":") and _means_itself(text):
        style = ""
    elif "\n" in text and _BLOCK.fullmatch(text) and not re.search(r"[ \t]\n", text):
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style or None)


def _means_itself(text: str) -> bool:
    return all(load_yaml(text, "", old_booleans=old).values == (text,) for old in (False, True))


_Dumper.add_representer(str, _text)


def as_yaml(documents: Iterable[Mapping[str, Any]]) -> str:
    """The documents, each after `---`."""
    dumped = yaml.dump_all(
        documents,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=math.inf,
        explicit_start=True,
    )
    return str(dumped)
