"""S35: no text of a unit, an object, an event or an address can put markup on a page."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stack_view import NOW, events, sample
from weir.spec.changes import Action, ChangeSet, FieldChange, ObjectChange
from weir.spec.event import Event, Severity
from weir.spec.identity import ObjectId, UnitId
from weir.spec.record import Condition, HistoryEntry
from weir.watch.dashboard.access import Access
from weir.watch.dashboard.pages import Dashboard
from weir.watch.exchange import Request
from weir.watch.view import Finding, Health, ObjectNote, ObjectView, StackView, Sync, UnitView

pytestmark = pytest.mark.property

HOSTILE = st.sampled_from(
    (
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "javascript:alert(1)",
        "{{ 7 * 7 }}",
        "</title><svg onload=alert(1)>",
        "&lt;b&gt;",
        "\u202egnp.exe",
        "\x1b[31m\x00",
    )
)
TEXTS = st.one_of(HOSTILE, st.text(max_size=30), st.tuples(st.text(max_size=8), HOSTILE).map("".join))
# fmt: off
KNOWN_TAGS = frozenset((
    "html", "head", "meta", "title", "link", "script", "body", "header", "a", "img", "span", "nav",
    "p", "b", "main", "h1", "h2", "form", "label", "input", "kbd", "select", "option", "button",
    "section", "div", "ul", "li", "time", "table", "thead", "tr", "th", "tbody", "td", "footer",
    "dl", "dt", "dd", "details", "summary",
))
# fmt: on
# fmt: off
KNOWN_ATTRIBUTES = frozenset((
    "lang", "charset", "name", "content", "rel", "href", "type", "src", "defer", "class", "alt",
    "width", "height", "title", "aria-label", "aria-current", "aria-hidden", "method", "action",
    "role", "id", "value", "placeholder", "autocomplete", "spellcheck", "selected", "data-live",
    "data-age", "open", "aria-live",
))
# fmt: on


class Strict(HTMLParser):
    """Notes everything that the templates themselves do not write."""

    def __init__(self) -> None:
        super().__init__()
        self.strange: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        if tag not in KNOWN_TAGS:
            self.strange.append(tag)
        for name, value in attrs:
            foreign = name in ("href", "src", "action") and not (value or "").startswith("/")
            if name not in KNOWN_ATTRIBUTES or foreign:
                self.strange.append(f"{name}={value}")

    def handle_comment(self, data: str) -> None:
        self.strange.append(data)


IDS = st.builds(UnitId, TEXTS, TEXTS, TEXTS)
NAMES = TEXTS.map(lambda text: text.replace("/", "") or "x")
OBJECTS = st.builds(ObjectId, TEXTS, TEXTS, TEXTS, TEXTS)
FIELDS = st.builds(FieldChange, TEXTS, TEXTS, TEXTS)
CHANGES = st.builds(ObjectChange, OBJECTS, st.sampled_from(Action), st.tuples(FIELDS), TEXTS)
UNITS = st.builds(
    UnitView,
    id=st.builds(UnitId, NAMES, NAMES, NAMES),
    source=IDS,
    revision=TEXTS,
    attempted=TEXTS,
    wanted=TEXTS,
    error=TEXTS,
    behind=st.booleans(),
    held=TEXTS,
    ready=st.builds(Condition, status=TEXTS, reason=TEXTS, message=TEXTS, at=TEXTS),
    suspended=st.booleans(),
    sync=st.sampled_from(Sync),
    health=st.sampled_from(Health),
    objects=st.tuples(
        st.builds(
            ObjectView,
            id=OBJECTS,
            version=TEXTS,
            notes=st.tuples(st.builds(ObjectNote, st.sampled_from(Finding), TEXTS)),
        )
    ),
    history=st.tuples(
        st.builds(
            HistoryEntry,
            revision=TEXTS,
            digest=TEXTS,
            status=TEXTS,
            count=st.just(1),
            started=TEXTS,
            duration=st.just(0.1),
        )
    ),
    interval=st.just(60.0),
    checked=st.just(NOW),
    due=st.just(NOW),
    dependencies=st.tuples(IDS),
)
PLANS = st.builds(ChangeSet, changes=st.tuples(CHANGES), warnings=st.tuples(TEXTS))


@st.composite
def views(draw: st.DrawFn) -> tuple[StackView, Event]:
    unit = draw(UNITS)
    event = Event(
        unit=unit.id,
        severity=draw(st.sampled_from(Severity)),
        reason=draw(TEXTS),
        message=draw(TEXTS),
        at=draw(TEXTS),
        stack="",
    )
    known = UnitId(draw(st.sampled_from(("ImagePolicy", "ImageUpdateAutomation"))), "ns", "name")
    units = (unit, replace(unit, id=known))
    return replace(sample(), stack=draw(TEXTS), leader=draw(TEXTS), units=units), event


@settings(max_examples=40)
@given(views(), PLANS, TEXTS)
def test_texts_stay_texts(shown: tuple[StackView, Event], plan: ChangeSet, asked: str) -> None:
    view, event = shown
    access = Access("", loopback=True)
    dashboard = Dashboard(lambda: view, lambda _: plan, lambda: (event,), access, lambda: NOW)
    routes = dashboard.routes()
    named = urlencode({"id": str(view.units[0].id)}, errors="replace")
    searched = urlencode({"q": asked, "kind": asked, "severity": asked, "page": asked}, errors="replace")
    for path, query in (("/", ""), ("/", searched), ("/unit", named), ("/images", ""), ("/events", searched)):
        request = Request(method="GET", path=path, query=query, headers={"host": "localhost"})
        answer = routes[path](request)
        assert answer.status == 200
        page = answer.body.decode()
        parser = Strict()
        parser.feed(page)
        parser.close()
        assert parser.strange == []
        assert parser.scripts <= 1
        assert not {"\u202e", "\x1b", "\x00"} & set(page)


@settings(max_examples=40)
@given(TEXTS, TEXTS)
def test_no_address_makes_a_page_fail(query: str, token: str) -> None:
    access = Access("t" * 16, loopback=False)
    routes = Dashboard(sample, lambda _: None, events, access, lambda: NOW).routes()
    for path in ("/", "/unit", "/images", "/events"):
        for text in (query, f"token={quote(token, errors='replace')}", f"q={query}&id={query}"):
            request = Request(
                method="GET", path=path, query=text, headers={"cookie": token, "authorization": query}
            )
            assert routes[path](request).status == 401
