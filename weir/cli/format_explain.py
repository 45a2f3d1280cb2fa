"""What `weir explain` shows of a commit's way into the cluster."""

from __future__ import annotations

from typing import Any, Final

from weir.cli.format import plain
from weir.flow.explain import Explanation
from weir.spec.artifact import short_hashes

_SHORT: Final = 8


def format_explanation(found: Explanation) -> str:
    """The answer in one line, then every source and unit on the way."""
    commit = found.commit[:_SHORT]
    lines = [f"✔ {commit} is live" if found.obstacle is None else f"✗ {commit} is not live"]
    if found.obstacle:
        lines[0] += f": {found.obstacle.unit}: {found.obstacle.text}"
    lines += [f"  {'✔' if step.passed else '✗'} {step.unit}: {step.text}" for step in found.steps]
    return "".join(f"{short_hashes(plain(line))}\n" for line in lines)


def explanation_as_data(found: Explanation) -> dict[str, Any]:
    """The same as plain values; `obstacle` is null when the commit is live."""
    steps = [{"unit": str(step.unit), "passed": step.passed, "message": step.text} for step in found.steps]
    first = found.obstacle
    obstacle = first and {"unit": str(first.unit), "message": first.text}
    return {"commit": found.commit, "live": first is None, "obstacle": obstacle, "steps": steps}
