"""A watcher of several ends with the process that started it, and otherwise as clean as any."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

_CHILD: Final = """
import threading, time
from weir.cli.watch import _end_with_parent
ended = threading.Event()
threading.Thread(target=_end_with_parent, args=(ended.set,), daemon=True).start()
print("ended" if ended.wait(WAIT) else "goes on", flush=True)
"""


def start(wait: float) -> subprocess.Popen[str]:
    """A process that waits so many seconds for the end of its parent."""
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD.replace("WAIT", str(wait))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_watcher_that_ends_before_its_parent_ends_clean() -> None:
    with start(0.5) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdin.write("whatever it is told")
        child.stdin.flush()
        assert child.stdout.readline() == "goes on\n"
        assert child.stderr.read() == ""
        assert child.wait(60) == 0


def test_a_watcher_ends_with_its_parent() -> None:
    with start(60.0) as child:
        said, wrong = child.communicate("something" * 20_000, timeout=100)
        assert (said, wrong, child.returncode) == ("ended\n", "", 0)
