"""Answers that several threads need and one of them works out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Once(Generic[K, V]):
    """What is worked out once by key, by the first who asks while the others wait; an error is kept too."""

    def __init__(self) -> None:
        self._answers: dict[K, Future[V]] = {}
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key."""
        with self._lock:
            known = self._answers.get(key)
            answer = known or self._answers.setdefault(key, Future())
        if known is None:
            try:
                answer.set_result(make())
            except BaseException as err:
                answer.set_exception(err)
                raise
        return answer.result()

    def known(self, key: K) -> V | None:
        """The value of a key that is worked out already, None for one that is not or that ended with an error."""
        answer = self._answers.get(key)
        return answer.result() if answer and answer.done() and answer.exception() is None else None
