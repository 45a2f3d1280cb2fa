"""`--status-selector ready=false`: units by their Ready condition."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from weir.spec.errors import SpecError

_FORM: Final = re.compile(r"ready(=|!=)(true|false|unknown)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StatusSelector:
    """A state that is wanted, or that is not."""

    status: str
    equal: bool

    @classmethod
    def parse(cls, text: str) -> StatusSelector:
        """Read `ready=false` or `ready!=true`. Raises SpecError."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise SpecError.at("--status-selector", "", found=text, expected="ready=false or ready!=true")
        return cls(found[2].capitalize(), found[1] == "=")

    def lets_through(self, status: str) -> bool:
        """Whether a condition with this status is meant."""
        return (status == self.status) == self.equal
