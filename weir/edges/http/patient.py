"""Exchanges that are repeated while that may help, within a time limit and what the host allows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from weir.edges.http.budget import Budget, retry_after
from weir.edges.http.errors import PASSING, ExchangeError, Failure
from weir.edges.http.transport import Answer, Request, Transport
from weir.spec.errors import StopRequested

_BUSY: Final = frozenset({408, 429, 500, 502, 503, 504})


class Patient:
    """Sends through one transport. Thread-safe. Once `stop` is set every call raises StopRequested."""

    def __init__(
        self,
        transport: Transport,
        *,
        stop: threading.Event,
        clock: Callable[[], float],
        budget: Callable[[str], Budget],
    ) -> None:
        self._transport = transport
        self._stop = stop
        self._clock = clock
        self._budget = budget

    def exchange(self, request: Request, deadline: float, *, loopback: bool, repeat: bool = True) -> Answer:
        """The answer, unless the server says that it is busy or failed. Sent once only without `repeat`.

        Raises:
            ExchangeError: no such answer in time.
            StopRequested: the run was cancelled.
        """
        budget = self._budget(urlsplit(request.url).netloc)
        attempt = 0
        while True:
            self._wait_turn(budget, request, deadline)
            asked, slow_down = None, False
            try:
                answer = self._transport.exchange(request, deadline, loopback=loopback)
            except ExchangeError as err:
                if err.failure not in PASSING:
                    raise
                failure = err
            else:
                if answer.status not in _BUSY:
                    budget.succeeded()
                    return answer
                asked = retry_after(answer.headers.get("retry-after", ""), time.time())
                slow_down = answer.status == HTTPStatus.TOO_MANY_REQUESTS
                failure = _busy(request, answer.status, asked)
            pause = budget.failed(attempt, asked=asked, slow_down=slow_down)
            if not repeat or pause is None or self._clock() + pause > deadline:
                raise failure
            attempt += 1
            self.sleep(pause)

    def sleep(self, seconds: float) -> None:
        """Wait. Raises StopRequested, also while it waits."""
        if self._stop.wait(seconds) if seconds > 0 else self._stop.is_set():
            raise StopRequested("the run was cancelled", hint="run again to finish")

    def _wait_turn(self, budget: Budget, request: Request, deadline: float) -> None:
        wait = budget.take()
        if self._clock() + wait > deadline:
            budget.give_back()
            raise ExchangeError(
                Failure.BUSY,
                f"{urlsplit(request.url).netloc}: asked not to be asked for another {wait:.0f} s",
            )
        self.sleep(wait)


def _busy(request: Request, status: int, asked: float | None) -> ExchangeError:
    host = urlsplit(request.url).netloc
    if status != HTTPStatus.TOO_MANY_REQUESTS:
        return ExchangeError(Failure.BROKEN, f"{host}: the server failed ({status})")
    wait = "" if asked is None else f" for {asked:.0f} s"
    return ExchangeError(Failure.BUSY, f"{host}: the server asks to slow down{wait} (429)")
