"""The dashboard's pages: what they say, whom they answer, and that they hold together without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from types import MappingProxyType
from urllib.parse import quote

import pytest

from tests.support.stack_view import (
    FRESH,
    NOW,
    PAY,
    SEARCH,
    SHOP,
    events,
    objects,
    plan,
    ready,
    record,
    sample,
    viewed,
)
from weir.spec.errors import SpecError
from weir.spec.event import Event
from weir.spec.identity import UnitId
from weir.watch.dashboard.access import COOKIE, Access
from weir.watch.dashboard.pages import Dashboard, unit_href
from weir.watch.exchange import Request, Response
from weir.watch.view import StackView, Watched

TOKEN = "correct horse battery"
LOCAL = {"host": "127.0.0.1:9292"}


class Text(HTMLParser):
    """What a person reads, and where links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")


def get(
    address: str,
    view: StackView | None = None,
    now: float = NOW,
    token: str = "",
    headers: Mapping[str, str] = MappingProxyType({}),
    happened: Callable[[], Sequence[Event]] = events,
    unread: str = "",
) -> Response:
    path, _, query = address.partition("?")
    access = Access(token, loopback=not token)
    dashboard = Dashboard(lambda: view or sample(), plan, happened, access, lambda: now, lambda: unread)
    request = Request(method="GET", path=path, query=query, headers={**LOCAL, **headers})
    return dashboard.routes()[path](request)


def read(response: Response) -> tuple[str, list[str]]:
    parser = Text()
    parser.feed(response.body.decode())
    return re.sub(r"\s+", " ", " ".join(parser.words)), parser.links


def listed(address: str) -> list[str]:
    _, links = read(get(address))
    return [link.rpartition("/")[2] for link in links if link.startswith("/unit?")]


def test_every_unit_is_listed_those_with_problems_first() -> None:
    assert listed("/")[:3] == ["search", "payments", "reviews"]
    assert sorted(listed("/")) == sorted(unit.id.name for unit in sample().units)


def test_sync_and_health_are_two_columns() -> None:
    text, _ = read(get("/"))
    assert "Unit Sync Health Revision Message Checked" in text
    assert re.search(r"Kustomization shop/ search Synced Degraded main@sha1:9be27d01", text)
    assert re.search(r"Kustomization shop/ payments OutOfSync Unknown main@sha1:4c1a9f3e", text)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=PAYMENTS", ["payments"]),
        ("q=shop+admission", ["payments"]),
        ("kind=ImagePolicy", ["storefront"]),
        ("namespace=legacy", ["reports"]),
        ("sync=OutOfSync", ["payments", "reviews"]),
        ("health=Suspended", ["reports"]),
        ("sync=Synced&health=Degraded", ["search"]),
        ("sync=nonsense", []),
    ],
)
def test_the_address_filters(query: str, names: list[str]) -> None:
    assert listed(f"/?{query}") == names


def test_no_match_says_so_and_leads_back() -> None:
    text, links = read(get("/?q=nothing-like-it"))
    assert "No unit matches." in text
    assert "/" in links


def test_summary_links_filter_and_unfilter() -> None:
    _, links = read(get("/?q=shop"))
    assert "/?q=shop&health=Degraded" in links
    _, links = read(get("/?q=shop&health=Degraded"))
    assert "/?q=shop" in links


def test_many_units_come_in_pages() -> None:
    units = [record(UnitId("Kustomization", "many", f"u{index:04}"), ready("ok")) for index in range(450)]
    view = viewed(*units, each=Watched(interval=60, checked=NOW))
    text, links = read(get("/?page=2&namespace=many", view))
    assert "450 of 450 units · page 2 of 3" in text
    assert sum(link.startswith("/unit?") for link in links) == 200
    assert {"/?namespace=many&page=1", "/?namespace=many&page=3"} <= set(links)
    assert "page 3 of 3" in read(get("/?page=99", view))[0]
    assert "page 1 of 3" in read(get("/?page=-x", view))[0]


def test_the_age_of_the_facts_is_on_every_page() -> None:
    for address in ("/", "/images", "/events", unit_href(SHOP)):
        assert "as of 12 s ago" in read(get(address))[0]
    text, _ = read(get("/", now=NOW + 110))
    assert "as of 2 min ago" in text
    assert "These facts are old." in text


def test_facts_that_nobody_renews_are_never_green() -> None:
    body = get("/", now=NOW + 3600).body.decode()
    table = body[body.index("<tbody>") :]
    assert "state-unknown" in table
    assert "state-synced" not in table
    assert "state-healthy" not in table


def test_before_the_first_look_nothing_is_claimed() -> None:
    view = StackView(stack="s", leader="", at=0.0, units=(), unsynced_since=None)
    text, _ = read(get("/", view))
    assert "waiting for the first look" in text
    assert "everything is synced" not in text


def test_the_page_of_a_unit() -> None:
    text, links = read(get(unit_href(PAY)))
    for part in (
        'admission webhook "policy.example.com" denied the request',
        "Attempted revision main@sha1:9be27d01",
        "Applied revision main@sha1:4c1a9f3e",
        "ReconciliationFailed, 1 min ago",
        "next in 18 s, every 1 min",
        "spec.replicas: 2 -> 3",
        "drifted spec.replicas: 2 -> 5, changed by kubectl-scale",
        "Deployment 3 1 not as wanted",
        "PodDisruptionBudget/shop/payments",
        "1 h ago HealthCheckFailed main@sha1:4c1a9f3e",
        "DriftCorrected",
    ):
        assert part in text
    assert {unit_href(SHOP), "/unit?id=GitRepository/flux-system/fleet"} <= set(links)
    assert "NewArtifact" not in text


def test_the_page_of_a_unit_names_what_needs_it() -> None:
    text, links = read(get(unit_href(SHOP)))
    assert "Needed by" in text
    assert {unit_href(PAY), unit_href(FRESH)} <= set(links)
    assert "Nothing would change." in text
    assert "It cannot be planned at present." in read(get(unit_href(FRESH)))[0]


def test_a_dependency_that_is_not_there_is_named() -> None:
    absent = UnitId("Kustomization", "elsewhere", "base")
    view = viewed(record(SHOP, ready("ok")), each=Watched(interval=60, checked=NOW, dependencies=(absent,)))
    assert "elsewhere/ base not in this stack" in read(get(unit_href(SHOP), view))[0]


def test_a_unit_of_many_objects_shows_findings_and_a_bounded_tree() -> None:
    many = record(SHOP, ready("ok"), inventory=objects("shop", *(f"app-{index}" for index in range(1000))))
    view = viewed(many, each=Watched(interval=60, checked=NOW))
    text, _ = read(get(unit_href(SHOP), view))
    assert "Objects 3001" in text
    assert "2000 of 3001 are shown." in text
    assert '<details id="tree-1-ConfigMap-shop">' in get(unit_href(SHOP), view).body.decode()


@pytest.mark.parametrize("asked", ["", "nonsense", "Kustomization/shop/absent", "a/b/c/d"])
def test_an_unknown_unit_is_not_found(asked: str) -> None:
    answer = get(f"/unit?id={quote(asked)}")
    assert answer.status == 404
    assert asked not in answer.body.decode() or not asked


def test_before_the_first_look_a_unit_is_not_called_gone() -> None:
    view = StackView(stack="s", leader="", at=0.0, units=(), unsynced_since=None)
    answer = get(unit_href(PAY), view)
    assert answer.status == 503
    assert "The stack has not been looked at yet." in read(answer)[0]
    assert get(unit_href(PAY), replace(view, at=NOW)).status == 404


def test_events_and_images() -> None:
    text, _ = read(get("/events"))
    assert "NewArtifact stored artifact for commit 'Sign every image'" in text
    assert "NewArtifact" not in read(get("/events?severity=error"))[0]
    text, _ = read(get("/images"))
    assert "ghcr.io/example/storefront 2.14.1 Synced Healthy" in text
    assert "pushed commit" in text


def test_a_fragment_is_the_live_parts_of_the_page() -> None:
    whole, part = get("/").body.decode(), get("/", headers={"x-weir-fragment": "1"}).body.decode()
    assert "<head>" not in part
    assert "<form" not in part
    live = set(re.findall(r'id="([a-z]+)" data-live', whole))
    assert (
        live == set(re.findall(r'id="([a-z]+)" data-live', part)) == {"age", "problems", "summary", "units"}
    )


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    for address in ("/", "/images", "/events", unit_href(PAY), unit_href(SEARCH)):
        answer = get(address)
        body = answer.body.decode()
        assert not re.search(r"<script(?! src=\"/static/)|<style|\son[a-z]+=|\sstyle=|https?://", body)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_what_cannot_be_read_is_on_every_page_and_nothing_is_called_settled() -> None:
    fine = viewed(record(SHOP, ready("ok")), each=Watched(interval=60, checked=NOW))
    assert "everything is synced" in read(get("/", fine))[0]
    problems = ["the last look failed: no space left", "<script>a.yaml</script>: not YAML", "x" * 5000]
    view = replace(fine, problems=(*problems, *(f"b{number}.yaml: broken" for number in range(30))))
    for address in ("/", "/images", "/events", unit_href(SHOP)):
        for headers in ({}, {"x-weir-fragment": "1"}):
            text = get(address, view, headers=headers).body.decode()
            assert "the last look failed: no space left" in text
            assert "&lt;script&gt;a.yaml&lt;/script&gt;: not YAML" in text
            assert "<script>a" not in text
            assert "x" * 1001 not in text
            assert "and 13 more" in text
            assert "b29.yaml" not in text
    assert "everything is synced" not in read(get("/", view))[0]


def test_events_that_cannot_be_read_are_not_none() -> None:
    assert "No events." in read(get("/events", happened=lambda: ()))[0]
    for address, nothing in (("/events", "No events."), (unit_href(PAY), "None that is still known.")):
        text, _ = read(get(address, happened=lambda: (), unread="events: <forbidden>"))
        assert "Events cannot be read: events: <forbidden>" in text
        assert nothing not in text
        text, _ = read(get(address, unread="away"))
        assert "Events cannot be read: away" in text
        assert "DriftCorrected" in text, "those known before are shown"


def test_static_files() -> None:
    assert get("/static/weir.css").content_type == "text/css; charset=utf-8"
    assert get("/static/weir.js").content_type == "text/javascript; charset=utf-8"


def test_too_many_values_in_the_address_are_left_out() -> None:
    assert get("/?" + "&".join(f"q{index}=1" for index in range(100))).status == 200


# who may look


def test_without_a_token_only_names_of_this_machine_are_answered() -> None:
    for host in ("localhost:9292", "127.0.0.1:9292", "[::1]:9292", "LOCALHOST"):
        assert get("/", headers={"host": host}).status == 200
    for host in (
        "evil.example.com",
        "localhost.evil.example.com",
        "",
        "[::1",
        "127.0.0.1.evil.example.com:80",
    ):
        answer = get("/", headers={"host": host})
        assert answer.status == 403
        assert b"production" not in answer.body


def test_with_a_token_nothing_is_shown_without_it() -> None:
    for headers in (
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer "},
        {"cookie": f"{COOKIE}={TOKEN}"},
        {"cookie": f"{COOKIE}=\udcff"},
        {"cookie": "=;;=\x00"},
    ):
        for address in ("/", "/events", "/images", unit_href(PAY), "/?token=wrong"):
            answer = get(address, token=TOKEN, headers=headers)
            assert answer.status == 401
            assert b"production" not in answer.body
            assert TOKEN.encode() not in answer.body


def test_the_token_opens() -> None:
    assert get("/", token=TOKEN, headers={"authorization": f"Bearer {TOKEN}"}).status == 200
    assert (
        get("/", token=TOKEN, headers={"host": "weir.example.com", "authorization": f"bearer {TOKEN}"}).status
        == 200
    )


def test_a_login_keeps_the_token_out_of_address_and_cookie() -> None:
    answer = get(f"/?q=pay&token={quote(TOKEN)}", token=TOKEN)
    assert (answer.status, answer.headers["Location"]) == (303, "/?q=pay")
    cookie = answer.headers["Set-Cookie"]
    assert TOKEN not in cookie
    assert "HttpOnly; SameSite=Strict" in cookie
    assert "Secure" not in cookie
    value = cookie.partition(";")[0]
    assert get("/", token=TOKEN, headers={"cookie": f"other=1; {value}"}).status == 200
    assert get("/", token=f"{TOKEN}s", headers={"cookie": value}).status == 401


@pytest.mark.parametrize(
    "other",
    ['prefs={"theme":"dark"}', "user[id]=7", "a,b=c", "nothing", "", f"{COOKIE}=stale", "name=\udcff"],
)
def test_a_login_holds_whatever_cookies_other_tools_keep(other: str) -> None:
    cookie = get(f"/?token={quote(TOKEN)}", token=TOKEN).headers["Set-Cookie"].partition(";")[0]
    for header in (f"{other}; {cookie}", f"{cookie}; {other}", f"{other};{cookie}"):
        assert get("/", token=TOKEN, headers={"cookie": header}).status == 200
    for header in (other, f"{other}; x{cookie}", f"{other}; {cookie}x", f"x={cookie}", f"{COOKIE}="):
        assert get("/", token=TOKEN, headers={"cookie": header}).status == 401


@pytest.mark.parametrize("given", [f"{TOKEN}\n", f"{TOKEN}\r\n", f" {TOKEN} "])
def test_white_space_around_the_token_does_not_count(given: str) -> None:
    assert get("/", token=given, headers={"authorization": f"Bearer {TOKEN}"}).status == 200
    assert get(f"/?token={quote(TOKEN)}", token=given).status == 303


def test_behind_tls_the_cookie_is_for_tls_only() -> None:
    answer = get(f"/?token={quote(TOKEN)}", token=TOKEN, headers={"x-forwarded-proto": "https"})
    assert answer.headers["Set-Cookie"].endswith("; Secure")
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize(
    ("token", "loopback"),
    [
        ("", False),
        ("short", False),
        ("short", True),
        ("\n", False),
        (" " * 20, True),
        ("short" + " " * 20, True),
        ("pässword" * 4, False),
        ("two\nlines of a file", False),
        ("\udcff" * 20, True),
    ],
)
def test_a_dashboard_for_others_needs_a_good_token(token: str, loopback: bool) -> None:
    with pytest.raises(SpecError, match="WEIR_DASHBOARD_TOKEN") as caught:
        Access(token, loopback=loopback)
    assert not token.strip() or token.strip() not in str(caught.value)


def test_events_of_other_units_are_not_on_a_units_page() -> None:
    others = [event for event in events() if event.unit == SEARCH]
    assert "None that is still known." in read(get(unit_href(PAY), happened=lambda: others))[0]


@pytest.mark.parametrize("address", ["/", "/images", "/?q=payments"])
def test_pages_without_events_ask_for_none(address: str) -> None:
    assert get(address, happened=pytest.fail).status == 200
