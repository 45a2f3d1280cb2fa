"""Webhooks to units: which receiver a request is for, whether it counts, and what it asks to reconcile."""

from __future__ import annotations

import hmac
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Final

from weir.notify.hooks import PREFIX, Accepted, HookRequest, Refused, judge, receiver_path
from weir.notify.replay import ReplayWindow
from weir.objects.hook_targets import targets
from weir.spec.errors import SpecError, WeirError
from weir.spec.header import Header
from weir.spec.identity import UnitId
from weir.spec.receiver import OIDC, TOKEN_TYPES, ReceiverSpec
from weir.watch.exchange import Request, Response
from weir.watch.hook_secrets import HookSecrets, Lookup, Secret
from weir.watch.id_tokens import IdTokens

_PATH: Final = re.compile(re.escape(PREFIX) + r"[0-9a-f]{64}", re.ASCII)
_OK: Final = Response(status=HTTPStatus.OK)
_UNKNOWN: Final = Response(status=HTTPStatus.NOT_FOUND)
_REFUSED: Final = Response(status=HTTPStatus.BAD_REQUEST)
_NOT_READY: Final = Response(status=HTTPStatus.SERVICE_UNAVAILABLE)

OnRequest = Callable[[Sequence[UnitId]], None]
"""Told which units a webhook asks for, each once and never none; returns soon.

A WeirError, which it has told by itself, means that the sender should try again.
"""
Report = Callable[[UnitId, str], None]
"""Told which receiver refuses a webhook or cannot judge any, and why; holds nothing secret."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a stack says at one time."""

    receivers: tuple[ReceiverSpec, ...] = ()
    units: Mapping[UnitId, Header] = field(default_factory=dict)
    refused: frozenset[UnitId] = frozenset()
    """Those of `receivers` that are not ready."""


@dataclass(frozen=True, slots=True)
class _Found:
    served: Served
    spec: ReceiverSpec
    secret: Secret = field(repr=False)


class Receivers:
    """Answers webhooks. Thread-safe."""

    def __init__(
        self,
        *,
        secret: Lookup,
        on_request: OnRequest,
        report: Report,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`clock` counts seconds and never goes back, `now` gives those since the epoch."""
        self._secrets = HookSecrets(secret, clock)
        self._on_request = on_request
        self._report = report
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._replays = ReplayWindow()
        self._refusals = ReplayWindow()
        self._id_tokens: IdTokens | None = None
        self._served: Served | None = None
        """None before the first `serve`: nobody knows whose a path is."""

    def serve(
        self,
        receivers: Iterable[ReceiverSpec],
        units: Mapping[UnitId, Header],
        refused: Iterable[ReceiverSpec] = (),
    ) -> None:
        """Answer for these receivers and units from now on; for `refused` ones, that they are not ready."""
        ready, unready = tuple(receivers), tuple(refused)
        served = Served((*ready, *unready), dict(units), frozenset(spec.id for spec in unready))
        self._secrets.keep({(spec.id.namespace, spec.secret) for spec in served.receivers if spec.secret})
        if self._id_tokens is None and any(spec.type in TOKEN_TYPES for spec in ready):
            self._id_tokens = self._make_id_tokens()
        if self._id_tokens is not None:
            self._id_tokens.serve(ready)
        self._served = served

    def refusal(self, path: str) -> Response | None:
        """404 for a path of nobody, 503 for one that is not ready, None for one whose webhooks are judged."""
        found = self._find(path)
        return found if isinstance(found, Response) else None

    def handle(self, request: Request) -> Response:
        """The answer to a POST: 200, 400 for one that proves nothing, 503 for one to send again, else as `refusal`."""
        found = self._find(request.path)
        if isinstance(found, Response):
            return found
        verdict = self._judge(found, HookRequest(headers=request.headers, body=request.body))
        if not isinstance(verdict, Accepted):
            self._refuse(found.spec, verdict.why)
            return Response(status=HTTPStatus(verdict.status))
        return self._ask(found.served, found.spec, verdict)

    def _judge(self, found: _Found, request: HookRequest) -> Accepted | Refused:
        if self._id_tokens is None or found.spec.type not in TOKEN_TYPES:
            return judge(found.spec, found.secret, request)
        authorization = request.headers.get("authorization", "")
        identity = self._id_tokens.identify(found.spec, found.secret, authorization)
        if isinstance(identity, Refused):
            return identity
        return judge(found.spec, found.secret, request, identity)

    def _refuse(self, spec: ReceiverSpec, why: str) -> None:
        """Tell of it, but not over and over what anybody may cause who guesses a path that is no secret."""
        if spec.type == OIDC:
            with self._lock:
                if not self._refusals.first(f"{spec.id} {why}".encode(), self._clock()):
                    return
        self._report(spec.id, why)

    def _make_id_tokens(self) -> IdTokens:
        """Imported late: most receivers ask nobody but the cluster."""
        from weir.edges.oidc import SigningKeys

        return IdTokens(SigningKeys(self._clock), self._now, self._report)

    def _ask(self, served: Served, spec: ReceiverSpec, accepted: Accepted) -> Response:
        try:
            units = targets(spec, served.units, accepted.payload, accepted.claims)
        except SpecError as err:
            self._report(spec.id, str(err))
            return _REFUSED
        if not self._first(accepted.delivery) or not units:
            return _OK
        try:
            self._on_request(units)
        except BaseException as err:
            with self._lock:
                self._replays.forget(accepted.delivery)
            if isinstance(err, WeirError):
                return _NOT_READY
            raise
        return _OK

    def _first(self, delivery: bytes) -> bool:
        """Whether a delivery is news; one that cannot be recognised always is."""
        with self._lock:
            return not delivery or self._replays.first(delivery, self._clock())

    def _find(self, path: str) -> _Found | Response:
        """The receiver of a path. All are looked at, whichever it is."""
        served, found = self._served, None
        if not _PATH.fullmatch(path):
            return _UNKNOWN
        if served is None:
            return _NOT_READY
        answer = _UNKNOWN
        for spec in served.receivers:
            try:
                secret = self._secret(spec)
            except WeirError:
                answer = _NOT_READY
                continue
            if hmac.compare_digest(receiver_path(spec, secret), path):
                found = _Found(served, spec, secret)
        if found is None:
            return answer
        return _NOT_READY if found.spec.suspend or found.spec.id in served.refused else found

    def _secret(self, spec: ReceiverSpec) -> Secret:
        """Raises ClusterError."""
        if not spec.secret:
            return {}
        return self._secrets.read(spec.id.namespace, spec.secret, partial(self._report, spec.id))
