"""YAML bytes to documents, safely.

The limits answer alias bombs, deep nesting and ambiguous input (CVE-2022-28948 and its kin): aliases are counted,
depth is bounded, duplicate keys are errors, and only plain tags are known.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from weir.spec.errors import SpecError

MAX_DEPTH: Final = 100
"""Levels of nesting."""
MAX_ALIASES: Final = 1000
"""Aliases used in one document."""
MAX_NODES: Final = 2_000_000
"""Nodes of one document after aliases are expanded."""
MAX_DIGITS: Final = 400
"""Digits in one number."""


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document and where it stands."""

    file: str
    """Path as a person would name it, with forward slashes."""
    index: int
    """Position in the file, from 0."""
    data: dict[str, Any]

    @property
    def where(self) -> str:
        """`file: Kind/namespace/name`, as far as the document says."""
        meta = self.data.get("metadata")
        meta = meta if isinstance(meta, dict) else {}
        parts = [self.data.get("kind"), meta.get("namespace"), meta.get("name")]
        name = "/".join(str(part) for part in parts if part)
        return f"{self.file}: {name or f'document {self.index + 1}'}"


_FastLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_FastLoader):  # type: ignore[misc]
    """PyYAML's safe loader with Kubernetes' reading of scalars: dates stay text, duplicate keys are errors."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        """A mapping whose keys occur once (merge keys are allowed to be overridden)."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                raise yaml.constructor.ConstructorError(None, None, "a key that is not a plain scalar", key_node.start_mark)
            if key in seen and key_node.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {key!r}", key_node.start_mark)
            seen.add(key)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        if all(type(key) is str for key in mapping):
            return mapping
        return {_json_key(key): value for key, value in mapping.items()}


def _json_key(key: Hashable) -> str:
    """The key that sigs.k8s.io/yaml gives JSON: 1 -> "1", true -> "true"."""
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


def _resolvers() -> dict[str, list[tuple[str, Any]]]:
    """Drop timestamps and base-60 numbers; keep YAML 1.1 booleans as go-yaml does only for true and false."""
    kept: dict[str, list[tuple[str, Any]]] = {}
    for first, pairs in _FastLoader.yaml_implicit_resolvers.items():
        tags = ("bool", "timestamp", "int", "float")
        kept[first] = [(tag, rule) for tag, rule in pairs if tag.rpartition(":")[2] not in tags]
    return kept


_Loader.yaml_implicit_resolvers = _resolvers()
_BOOL: Final = r"true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"
_INT: Final = r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)"
_FLOAT: Final = r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?)"
for _name, _rule, _first in (("bool", _BOOL, "tTfFyYnNoO"), ("int", _INT, "-+0123456789"), ("float", _FLOAT, "-+.0123456789")):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(rf"^(?:{_rule})$"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:merge", _FastLoader.construct_yaml_str)
_Loader.add_constructor("tag:yaml.org,2002:value", _FastLoader.construct_yaml_str)


def _construct_int(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    if len(text) > MAX_DIGITS:
        raise yaml.constructor.ConstructorError(None, None, f"a number of {len(text)} digits", node.start_mark)
    sign, body = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    if body.startswith(("0o", "0b", "0x")):
        return sign * int(body, 0)
    return sign * int(body, 8 if len(body) > 1 and body[0] == "0" else 10)


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def _guard_events(text: str) -> Iterator[None]:
    """Walk the parse events once, refusing depth and alias abuse before anything is built."""
    depth = aliases = 0
    for event in yaml.parse(text, Loader=_FastLoader):
        if isinstance(event, yaml.DocumentStartEvent):
            depth = aliases = 0
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise yaml.constructor.ConstructorError(None, None, f"more than {MAX_DEPTH} levels deep", event.start_mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
            if aliases > MAX_ALIASES:
                raise yaml.constructor.ConstructorError(None, None, f"more than {MAX_ALIASES} aliases", event.start_mark)
        yield


def read_yaml(text: str | bytes, file: str) -> list[Any]:
    """All documents of a YAML text as plain values, empty ones left out.

    Raises:
        SpecError: not UTF-8, not YAML, duplicate keys, or over a limit; names file, line and column.
    """
    try:
        plain = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
        if _suspicious(plain):
            for _ in _guard_events(plain):
                pass
        found = [data for data in yaml.load_all(plain, Loader=_Loader) if data is not None]  # noqa: S506 - a safe subclass
    except UnicodeDecodeError as err:
        raise SpecError.at(file, "", found=f"byte {err.start}", expected="UTF-8 text") from err
    except yaml.YAMLError as err:
        raise _yaml_error(file, err) from err
    except (RecursionError, ValueError) as err:
        raise SpecError.at(file, "", found=str(err)[:100], expected="plain YAML values") from err
    for data in found:
        _check_size(data, file)
    return found


def read_documents(text: str | bytes, file: str) -> tuple[Document, ...]:
    """All documents of a YAML text that are mappings; `List` kinds are unfolded into their items.

    Raises:
        SpecError: as `read_yaml`, or a document that is not a mapping.
    """
    documents: list[Document] = []
    for index, data in enumerate(read_yaml(text, file)):
        if not isinstance(data, dict):
            where = f"{file}: document {index + 1}"
            raise SpecError.at(where, "", found=type(data).__name__, expected="a mapping with apiVersion and kind")
        is_list = str(data.get("kind", "")).endswith("List") and isinstance(data.get("items"), list)
        items = data["items"] if is_list else [data]
        documents.extend(Document(file, index, item) for item in items if isinstance(item, dict))
    return tuple(documents)


def _suspicious(text: str) -> bool:
    """Whether a text can nest deeply or use aliases; ordinary manifests need no second parse."""
    return "*" in text or text.count("[") + text.count("{") > MAX_DEPTH or " " * (2 * MAX_DEPTH) in text or "- " * 20 in text


def _check_size(data: Any, file: str) -> None:
    """Count nodes as if every alias were expanded, so that a shared value cannot grow later."""
    count = 0
    stack = [data]
    while stack:
        value = stack.pop()
        count += 1
        if count > MAX_NODES:
            raise SpecError.at(file, "", found=f"over {MAX_NODES} values", expected="a smaller document")
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)


def _yaml_error(file: str, err: yaml.YAMLError) -> SpecError:
    mark = getattr(err, "problem_mark", None)
    place = f"{file}: line {mark.line + 1}, column {mark.column + 1}" if mark else file
    problem = getattr(err, "problem", None) or str(err).split("\n", 1)[0]
    return SpecError(f"{place}: not readable as YAML: {problem}", hint="correct the file and commit again")
