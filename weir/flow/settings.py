"""A stack's settings, from the forms in which they arrive: the engine's configuration or Pulumi.<stack>.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from weir.spec.documents import read_yaml
from weir.spec.errors import SpecError
from weir.spec.stack import StackConfig, parse_stack

PREFIX: Final = "weir:"


def read_settings(stack: str, values: Mapping[str, Any], where: str) -> StackConfig:
    """Settings from configuration values, whose mappings may be JSON texts (keys without the `weir:` prefix).

    Raises:
        SpecError: an unknown key or a wrong value.
    """
    return parse_stack(stack, {key: _value(key, value, where) for key, value in values.items()}, where)


def read_settings_file(stack: str, path: Path) -> StackConfig:
    """Settings from a `Pulumi.<stack>.yaml` file. Raises SpecError."""
    try:
        text = path.read_bytes()
    except OSError as err:
        hint = "name the stack with --stack and its file with --config-file"
        raise SpecError.at(
            str(path), "", found=err.strerror, expected="the stack's settings", hint=hint
        ) from err
    found = read_yaml(text, str(path)) or [{}]
    config = found[0].get("config") if isinstance(found[0], dict) else None
    if not isinstance(config, dict):
        raise SpecError.at(
            str(path), "config", found=config, expected="a mapping with weir:cluster and weir:objects"
        )
    values = {key.removeprefix(PREFIX): value for key, value in config.items() if key.startswith(PREFIX)}
    return read_settings(stack, values, str(path))


def _value(key: str, value: Any, where: str) -> Any:
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        return orjson.loads(value)
    except ValueError as err:
        raise SpecError.at(where, f"{PREFIX}{key}", found=value, expected="JSON") from err
