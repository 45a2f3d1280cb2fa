"""What machines ask the watcher: `/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from weir.watch.exchange import Handler, Request, Response
from weir.watch.metrics import CONTENT_TYPE, Metrics
from weir.watch.vitals import Vitals


def probe_routes(vitals: Vitals, metrics: Metrics) -> Mapping[str, Handler]:
    """What answers which path. None of them needs a token: they hold no value of any object."""

    def answer_metrics(_: Request) -> Response:
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
