"""What is made while the collector is paused: never collected, unless the process lives on."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import gc, weakref
from weir.flow import collector

class Made:
    pass

LIVE_ON
with collector.paused():
    made = Made()
    made.itself = made
    seen = weakref.ref(made)
    del made
assert gc.isenabled()
gc.collect()
print(seen() is None)
"""


@pytest.mark.parametrize(("first", "collected"), [("collector.live_on()", "True"), ("", "False")])
def test_a_process_that_lives_on_keeps_no_garbage(first: str, collected: str) -> None:
    program = _PROGRAM.replace("LIVE_ON", first)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == collected
