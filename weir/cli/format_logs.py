"""Lines of a watcher's log: which are wanted, and how they look.

Rule: `<time> <level> Kind/name.namespace - <message> <error>`, as `flux logs`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from weir.cli.format import plain
from weir.cli.format_age import epoch

LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """What is asked for; empty texts and None let everything through."""

    level: str = ""
    kind: str = ""
    name: str = ""
    namespace: str | None = None
    since: float | None = None
    """Epoch seconds."""

    def lets_through(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry is asked for."""
        kind, namespace, name = _unit(entry)
        if self.since is not None and (epoch(str(entry.get("ts", ""))) or 0.0) < self.since:
            return False
        return (
            self.level in ("", entry.get("level"))
            and self.kind.lower() in ("", kind.lower())
            and self.name in ("", name)
            and self.namespace in (None, namespace)
        )


def read_entry(line: str) -> Mapping[str, Any] | None:
    """One line of the log, None for a half-written or foreign one."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def format_entry(entry: Mapping[str, Any]) -> str:
    """An entry as one line, ending in a newline."""
    kind, namespace, name = _unit(entry)
    unit = f"{kind}/{name}.{namespace} - " if kind else ""
    words = [str(entry.get(key, "")) for key in ("ts", "level")]
    said = [str(entry[key]) for key in ("msg", "error") if entry.get(key)]
    return plain(f"{' '.join(words)} {unit}{' '.join(said)}") + "\n"


def _unit(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    kind, _, rest = str(entry.get("unit") or "").partition("/")
    namespace, _, name = rest.partition("/")
    return kind, namespace, name
