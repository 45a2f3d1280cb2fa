"""What Ctrl-C, `kill` and a terminal that closes do to the demo: it ends, and its clean-up is not disturbed again."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_on_signals() -> None:
    """From now on the first signal raises SystemExit(128 + its number) in the main thread, and more of them nothing.

    One that is ignored already stays ignored (nohup).
    """
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def ignore_signals() -> None:
    """From now on no signal disturbs; programs that are started later hear theirs."""
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)


@contextlib.contextmanager
def held_signals() -> Iterator[None]:
    """Let the handlers of signals that come meanwhile run at the end. For the main thread; elsewhere none run."""
    came: list[int] = []
    before = {number: kept for number in _SIGNALS if callable(kept := signal.getsignal(number))}
    if threading.current_thread() is not threading.main_thread():
        before = {}
    for number in before:
        signal.signal(number, lambda received, _: came.append(received))
    try:
        yield
    finally:
        for number, kept in before.items():
            signal.signal(number, kept)
        for received in came:
            signal.raise_signal(received)


def _end(number: int, _frame: FrameType | None) -> None:
    ignore_signals()
    name = signal.Signals(number).name
    with contextlib.suppress(OSError):  # a closed terminal takes no words
        os.write(2, f"\n✗ {name}: ending what runs, and removing what the demo made ...\n".encode())
    sys.exit(128 + number)
