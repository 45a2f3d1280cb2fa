"""Plans as Markdown for a pull request: the summary table first, then one collapsed section per unit.

GitHub takes 65,536 characters in a comment and refuses the rest, so the text is cut on whole rows and says what it
left out. Text that is not ours stands in code spans, where Markdown has no meaning (GFM 6.1), or HTML-escaped inside
`<summary>`; nothing of it can mention people, close a table or open a tag.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Final

from weir.spec.artifact import short_revision
from weir.spec.changes import Action, ObjectChange
from weir.spec.plan import UnitPlan

MARKDOWN_LIMIT: Final = 60_000
"""Characters; below GitHub's 65,536 so that a caller can add a line or two."""
MARKER: Final = "<!-- weir diff -->"
"""First line of every text, by which a comment is found again and updated in place."""
SPAN_WIDTH: Final = 400
"""Characters of one value."""
NOTICE_SIZE: Final = 400
"""Characters kept free for the lines that say what was left out."""
_COLUMNS: Final = (Action.CREATE, Action.CONFIGURE, Action.RECREATE, Action.ADOPT, Action.DELETE, Action.SKIP)
_HINT: Final = "Run `weir diff` to see everything."


def format_markdown(units: Sequence[UnitPlan], stack: str, totals: Mapping[str, int], limit: int) -> str:
    """The comment, never longer than `limit` characters (at least 2,000)."""
    limit = max(limit, 2_000)
    head = _head(units, stack, totals, limit - NOTICE_SIZE)
    room = limit - NOTICE_SIZE - len(head)
    sections, hidden = [], 0
    for unit in units:
        if unit.changes.empty and not (unit.error or unit.changes.changes or unit.changes.warnings):
            continue
        section = "" if hidden else _section(unit, room)
        if section:
            sections.append(section)
            room -= len(section)
        else:
            hidden += 1
    tail = (
        f"\n_{hidden} more {'unit is' if hidden == 1 else 'units are'} not shown here._ {_HINT}\n"
        if hidden
        else ""
    )
    return head + "".join(sections) + tail


def code_span(text: str) -> str:
    """The text as a code span that may stand in a table cell: fenced by more backticks than it holds."""
    text = re.sub(r"[\r\n]+", "\\\\n", text)
    text = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
    if len(text) > SPAN_WIDTH:
        text = text[: SPAN_WIDTH - 3] + "..."
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if not text.strip() or "`" in (text[0], text[-1]) else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|") if text else '`""`'


def _head(units: Sequence[UnitPlan], stack: str, totals: Mapping[str, int], room: int) -> str:
    title = f"### Weir: {code_span(stack)}" if stack else "### Weir"
    shown = [action for action in _COLUMNS if totals[action]]
    words = ", ".join(f"{totals[action]} {action}" for action in shown)
    text = f"{MARKER}\n{title}\n\n**{words or 'No changes'}**, {totals[Action.UNCHANGED]} unchanged"
    text += f", {totals['errors']} failed\n" if totals["errors"] else "\n"
    titles = ["Unit", "Revision", *(str(action) for action in shown), ""]
    text += f"\n| {' | '.join(titles)} |\n|{' --- |' * len(titles)}\n"
    for index, unit in enumerate(units):
        row = _summary_row(unit, shown)
        if len(text) + len(row) > room:
            return f"{text}\n_{len(units) - index} more units are not in this table._ {_HINT}\n"
        text += row
    return text


def _summary_row(unit: UnitPlan, shown: Sequence[Action]) -> str:
    counts = unit.changes.counts()
    state = "✗ failed" if unit.error else "⚠" if unit.changes.warnings else ""
    cells = [
        code_span(str(unit.id)),
        _revision(unit),
        *(str(counts.get(action, "") or "") for action in shown),
        state,
    ]
    return f"| {' | '.join(cells)} |\n"


def _revision(unit: UnitPlan) -> str:
    old, new = short_revision(unit.revision_old), short_revision(unit.revision_new)
    if old == new or not new:
        return code_span(old) if old else ""
    return f"{code_span(old) if old else '(new)'} → {code_span(new)}"


def _section(unit: UnitPlan, room: int) -> str:
    """One unit's `<details>`, cut to `room` on whole objects; empty when not even its frame fits."""
    counts = unit.changes.counts()
    words = [f"{counts[action]} {action}" for action in _COLUMNS if counts.get(action)]
    words += ["failed"] if unit.error else []
    text = f"\n<details><summary><code>{html.escape(str(unit.id))}</code>: {', '.join(words)}</summary>\n\n"
    text += f"**Failed:** {code_span(unit.error)}\n\n" if unit.error else ""
    text += "".join(f"- ⚠ {code_span(warning)}\n" for warning in unit.changes.warnings[:20])
    end = "\n</details>\n"
    if len(text) + len(end) + NOTICE_SIZE > room:
        return ""
    text += (
        "\n| | Object | Field | Old | New |\n| --- | --- | --- | --- | --- |\n"
        if unit.changes.changes
        else ""
    )
    for index, change in enumerate(unit.changes.changes):
        rows = _rows(change)
        if len(text) + len(rows) + len(end) + NOTICE_SIZE > room:
            left = len(unit.changes.changes) - index
            return f"{text}\n_{left} more objects of this unit are not shown._ {_HINT}\n{end}"
        text += rows
    return text + end


def _rows(change: ObjectChange) -> str:
    why = f" ({code_span(change.why)})" if change.why else ""
    first = f"| {change.action} | {code_span(str(change.id))}{why} |"
    if not change.fields:
        return f"{first} | | |\n"
    rows = []
    for index, field in enumerate(change.fields):
        old, new = ("" if text is None else code_span(text) for text in (field.old, field.new))
        rows.append(f"{first if index == 0 else '| | |'} {code_span(field.path)} | {old} | {new} |\n")
    return "".join(rows)
