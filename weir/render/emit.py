"""Values back to text: JSON that every YAML reader takes for the same values, and YAML as kustomize writes it."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson
import yaml

from weir.spec.scalars import ScalarError, Scalars

_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def to_json(value: Any) -> bytes:
    """JSON on one line; characters that YAML forbids are escaped.

    Raises:
        TypeError: a value that JSON cannot hold.
    """
    text = orjson.dumps(value).decode()
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()


def to_yaml(value: Any) -> str:
    """Block YAML with sorted keys, quoted only where it must be, so that text in it reads as its author wrote it."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, width=2**30, sort_keys=True
    )
    return text


_FastDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_OLD: Final = Scalars(old_booleans=True)


class _Dumper(_FastDumper):  # type: ignore[misc]
    """Strings in go-yaml 2's styles: literal with line breaks, plain when that reads back as text, else quoted."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """No anchors: every value is written out."""
        return True


def _represent_str(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text else (None if _reads_as_text(text) else '"')
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _reads_as_text(text: str) -> bool:
    if not text or text == "<<":
        return False
    try:
        return type(_OLD.plain(text)) is str and not Scalars.is_date(text)
    except ScalarError:
        return False


_Dumper.add_representer(str, _represent_str)
