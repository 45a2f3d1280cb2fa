"""What machines ask the watcher: `/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from weir.spec.loopback import is_local
from weir.watch.exchange import Handler, Request, Response
from weir.watch.metrics import CONTENT_TYPE, Metrics
from weir.watch.vitals import Vitals


def probe_routes(vitals: Vitals, metrics: Metrics) -> Mapping[str, Handler]:
    """What answers which path. None of them needs a token: they hold no value of any object.

    On loopback `/metrics`, which names all units, answers only who calls it by a name of this machine.
    """

    def answer_metrics(request: Request) -> Response:
        if request.local and not is_local(request.headers.get("host", "")):
            return Response(status=HTTPStatus.FORBIDDEN, body=b"on loopback only localhost is answered\n")
        return Response(body=metrics.text(), content_type=CONTENT_TYPE)

    return {
        "/healthz": _probe(vitals.sick),
        "/readyz": _probe(vitals.unready),
        "/metrics": answer_metrics,
    }


def _probe(problem: Callable[[], str]) -> Handler:
    def answer(_: Request) -> Response:
        why = problem()
        if why:
            return Response(status=HTTPStatus.SERVICE_UNAVAILABLE, body=f"{why}\n".encode())
        return Response(body=b"ok\n")

    return answer
