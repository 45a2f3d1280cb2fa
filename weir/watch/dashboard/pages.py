"""The dashboard's pages: a request in, HTML out. Nothing here changes anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from weir.flow.reporting import SUCCEEDED
from weir.spec.artifact import short_hashes, short_revision
from weir.spec.changes import ChangeSet
from weir.spec.errors import SpecError
from weir.spec.event import Event
from weir.spec.identity import UnitId
from weir.watch.dashboard.access import Access, Verdict
from weir.watch.dashboard.selection import Selection, counted, listing
from weir.watch.dashboard.tree import SHOWN, tree_of
from weir.watch.dashboard.words import ago, ahead, clock, epoch, span, visible
from weir.watch.exchange import Handler, Request, Response
from weir.watch.view import Finding, Health, StackView, Sync, UnitView

FRAGMENT: Final = "x-weir-fragment"
"""Header of a request that wants only the parts of a page that change."""
OLD: Final = 60.0
"""Seconds after which the age of the facts is pointed out."""
_EVENTS: Final = 200
_EVENTS_OF_UNIT: Final = 20
_HERE: Final = Path(__file__).parent
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HTML: Final = "text/html; charset=utf-8"
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_FINDINGS: Final = {
    Finding.DRIFTED: "outofsync",
    Finding.MISSING: "missing",
    Finding.PROGRESSING: "progressing",
    Finding.FAILED: "degraded",
}
"""Which state a finding looks like."""

Page = Callable[[Request, StackView, Mapping[str, str]], Response]


class Dashboard:
    """The pages about one stack. Thread-safe."""

    def __init__(
        self,
        current: Callable[[], StackView],
        plan: Callable[[UnitId], ChangeSet | None],
        events: Callable[[], Sequence[Event]],
        access: Access,
        clock: Callable[[], float] = time.time,
        unread: Callable[[], str] = str,
    ) -> None:
        """Pages about `current`.

        `plan` tells what a run would change in a unit, None when that is not known. `events` gives the latest first,
        and is asked only for pages that show them; `unread` says afterwards why they could not be read, or nothing.
        `clock` gives epoch seconds.
        """
        self._current = current
        self._plan = plan
        self._happened = events
        self._access = access
        self._clock = clock
        self._unread = unread

    def routes(self) -> Mapping[str, Handler]:
        """What answers which path."""
        pages: dict[str, Page] = {
            "/": self._units,
            "/unit": self._unit,
            "/images": self._images,
            "/events": self._events,
        }
        static = {f"/static/{path.name}": partial(_static, path) for path in (_HERE / "static").iterdir()}
        return {path: partial(self._answer, page) for path, page in pages.items()} | static

    def _answer(self, page: Page, request: Request) -> Response:
        query = _query(request)
        match self._access.judge(request.headers, query):
            case Verdict.ALLOWED:
                return page(request, self._current(), query)
            case Verdict.LOGIN:
                return self._login(request, query)
            case Verdict.UNKNOWN:
                text = "This dashboard asks for its token."
                return _notice(HTTPStatus.UNAUTHORIZED, "Who is there?", text, login=True)
            case Verdict.STRANGER:
                text = "Without a token this dashboard answers only as localhost."
                return _notice(HTTPStatus.FORBIDDEN, "Not under this name", text)

    def _login(self, request: Request, query: Mapping[str, str]) -> Response:
        rest = urlencode({name: value for name, value in query.items() if name != "token"})
        secure = request.headers.get("x-forwarded-proto", "") == "https"
        headers = {"Location": f"{request.path}?{rest}" if rest else request.path}
        headers["Set-Cookie"] = self._access.cookie(secure=secure)
        return Response(status=HTTPStatus.SEE_OTHER, headers={**HEADERS, **headers})

    def _units(self, request: Request, view: StackView, query: Mapping[str, str]) -> Response:
        view = view.aged(self._clock())
        selection = Selection.of(query)
        syncs, healths = counted(view.units)
        kinds = sorted({unit.id.kind for unit in view.units})
        namespaces = sorted({unit.id.namespace for unit in view.units})
        choices = (
            ("kind", "Kind", kinds),
            ("namespace", "Namespace", namespaces),
            ("sync", "Sync", [one.value for one in Sync]),
            ("health", "Health", [one.value for one in Health]),
        )
        found = listing(view.units, selection)
        return self._page(
            request,
            "units.html",
            view,
            selection=selection,
            listing=found,
            syncs=syncs,
            healths=healths,
            choices=choices,
            settled=view.settled,
        )

    def _unit(self, request: Request, view: StackView, query: Mapping[str, str]) -> Response:
        view = view.aged(self._clock())
        units = {unit.id: unit for unit in view.units}
        try:
            unit = units.get(UnitId.parse(query.get("id", "")))
        except SpecError:
            unit = None
        if unit is None and view.age(self._clock()) is None:
            text = "The stack has not been looked at yet."
            return _notice(HTTPStatus.SERVICE_UNAVAILABLE, "Not known yet", text)
        if unit is None:
            return _notice(HTTPStatus.NOT_FOUND, "No such unit", "The stack has no unit of this name.")
        return self._page(
            request,
            "unit.html",
            view,
            unit=unit,
            plan=ChangeSet() if unit.sync is Sync.SYNCED else self._plan(unit.id),
            dependencies=[(id_, units.get(id_)) for id_ in unit.dependencies],
            dependents=_dependents(unit, view),
            tree=tree_of(unit.objects),
            events=list(islice((one for one in self._happened() if one.unit == unit.id), _EVENTS_OF_UNIT)),
            unread=self._unread(),
        )

    def _images(self, request: Request, view: StackView, _: Mapping[str, str]) -> Response:
        return self._page(request, "images.html", view.aged(self._clock()))

    def _events(self, request: Request, view: StackView, query: Mapping[str, str]) -> Response:
        severity = query.get("severity", "")
        found = (one for one in self._happened() if severity in ("", one.severity.value))
        events = list(islice(found, _EVENTS))
        return self._page(
            request, "events.html", view, severity=severity, events=events, unread=self._unread()
        )

    def _page(self, request: Request, template: str, view: StackView, **values: Any) -> Response:
        now = self._clock()
        age = view.age(now)
        values |= {
            "view": view,
            "now": now,
            "age": age,
            "old": age is not None and age > OLD,
            "here": request.path,
            "layout": "fragment.html" if request.headers.get(FRAGMENT) else "base.html",
        }
        text = _templates().get_template(template).render(values)
        return Response(body=text.encode("utf-8", "replace"), content_type=_HTML, headers=HEADERS)


def _query(request: Request) -> Mapping[str, str]:
    """The address's values; none when there are too many to be meant."""
    try:
        return dict(parse_qsl(request.query, max_num_fields=20, errors="replace"))
    except ValueError:
        return {}


def _dependents(unit: UnitView, view: StackView) -> list[UnitView]:
    """Units that depend on this one, or are made from it."""
    return [one for one in view.units if unit.id in (*one.dependencies, one.source)]


def unit_href(unit: UnitId) -> str:
    """The address of a unit's page."""
    return f"/unit?id={quote(str(unit), safe='/')}"


def _notice(status: HTTPStatus, title: str, text: str, *, login: bool = False) -> Response:
    body = _templates().get_template("notice.html").render(title=title, text=text, login=login)
    headers = {**HEADERS, "WWW-Authenticate": 'Bearer realm="Weir"'} if login else HEADERS
    return Response(status=status, body=body.encode(), content_type=_HTML, headers=headers)


def _static(path: Path, _: Request) -> Response:
    return Response(body=path.read_bytes(), content_type=_TYPES[path.suffix], headers=HEADERS)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=visible,
    )
    environment.globals |= {
        "ago": ago,
        "ahead": ahead,
        "clock": clock,
        "epoch": epoch,
        "span": span,
        "short": short_revision,
        "short_hashes": short_hashes,
        "unit_href": unit_href,
        "image_name": partial(_image_part, 0),
        "image_tag": partial(_image_part, 1),
        "findings": _FINDINGS,
        "shown": SHOWN,
        "succeeded": SUCCEEDED,
    }
    return environment


def _image_part(index: int, image: str) -> str:
    """Name or tag of an image such as `ghcr.io/org/app:1.2.3@sha256:...`."""
    name, colon, tag = image.partition("@")[0].rpartition(":")
    if not colon or "/" in tag:
        return "" if index else image
    return tag if index else name
