"""What the demo shows of the engine's output: the plan and the result, not the ticking in between."""

from __future__ import annotations

import re
from typing import Final

_NOISE: Final = re.compile(
    r"^@ |\[(?:urn|id)=|using pulumi-\S+ from \$PATH|weir:index:|pulumi:pulumi:Stack|^\s*$"
    r"|(?:creating|updating|deleting|refreshing) \(\d|The resources in the stack have been|If you want to remove"
    r"|^ [-+~ ]  (?:weir|pulumi-python):|pulumi-python:dynamic|credentials travel unencrypted over http"
    r"|^\s+[~+ ]? ?(?:digest|stack|unit|url|source|repository) *: "
)
_OUTPUTS: Final = re.compile(r"^Outputs:|^\s+--outputs:--")
_RESUME: Final = re.compile(r"^(?:Resources|Diagnostics):")


class Screen:
    """Prints the lines worth reading, indented."""

    def __init__(self) -> None:
        self._skipping = False

    def show(self, line: str) -> None:
        """Print one line of output, or not."""
        if _OUTPUTS.search(line):
            self._skipping = True
        elif _RESUME.search(line):
            self._skipping = False
        if not self._skipping and not _NOISE.search(line):
            print(f"    {line}", end="", flush=True)
