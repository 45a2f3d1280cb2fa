"""What GitHub and Gitea, whose API follows GitHub's, tell of a pull request."""

from __future__ import annotations

from typing import Any

from weir.edges.forge.api import number_of, page_url
from weir.edges.forge.errors import BadAnswerError
from weir.edges.forge.found import Found


def read_pull(row: Any, where: str) -> Found:
    """A pull request from its row. Raises BadAnswerError."""
    if not isinstance(row, dict):
        raise BadAnswerError(f"{where}: the answer is no pull request")
    return Found(
        number=number_of(row.get("number"), where),
        url=page_url(row.get("html_url"), where),
        title=str(row.get("title") or ""),
        body=str(row.get("body") or ""),
        labels=label_names(row.get("labels")),
        open=row.get("state") == "open",
    )


def label_names(value: Any) -> frozenset[str]:
    """The names in a list of labels; what is no label is passed over."""
    rows = value if isinstance(value, list) else []
    return frozenset(str(row.get("name")) for row in rows if isinstance(row, dict))
