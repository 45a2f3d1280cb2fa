"""`weir` on a machine whose clock is set: wall time is off by the seconds in a file, looked up whenever it is asked.

python -m tests.support.shifted_clock FILE watch --stack dev
"""

from __future__ import annotations

import datetime as dt
import runpy
import sys
import time
from pathlib import Path
from unittest import mock


def shift(file: Path) -> None:
    """Shift this process's wall time from now on; its monotonic clocks stay."""
    now, now_ns = time.time, time.time_ns

    def offset() -> int:
        return int(file.read_text() or 0)

    def shifted() -> float:
        return now() + offset()

    def shifted_ns() -> int:
        return now_ns() + offset() * 10**9

    class Shifted(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Shifted:
            return cls.fromtimestamp(time.time(), tz)

    mock.patch("time.time", shifted).start()
    mock.patch("time.time_ns", shifted_ns).start()
    mock.patch("datetime.datetime", Shifted).start()


if __name__ == "__main__":
    shift(Path(sys.argv.pop(1)))
    runpy.run_module("weir.cli", run_name="__main__", alter_sys=True)
