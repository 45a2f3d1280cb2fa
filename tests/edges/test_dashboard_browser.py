"""The dashboard in a real browser: with JavaScript and without, light and dark, on a desk and on a phone."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.support.browser import Browser, chromium
from tests.support.stack_view import NOW, PAY, events, plan, sample
from weir.spec.event import Event, Severity
from weir.watch.dashboard.access import Access
from weir.watch.dashboard.pages import FRAGMENT, Dashboard, unit_href
from weir.watch.exchange import Request, Response
from weir.watch.listener import Listener
from weir.watch.view import Finding, ObjectNote, StackView

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not chromium(), reason="there is no Chromium on PATH")]
LATER = "const now = performance.now.bind(performance); performance.now = () => now() + 60000"
"""Script that lets a minute pass on the page."""
HASTE = "const wait = AbortSignal.timeout.bind(AbortSignal); AbortSignal.timeout = () => wait(200)"
"""Script that makes a page impatient."""
MARK = "window.marked ="
REPLACED = "!window.marked.isConnected"
"""Whether what was marked gave way to something new."""
SHOTS = "WEIR_SCREENSHOTS"
"""Environment variable with the folder where pictures are kept for people."""


class Site:
    """A dashboard whose stack and clock a test moves."""

    def __init__(self) -> None:
        self.view: StackView = sample()
        self.now = NOW
        self.events: Sequence[Event] = events()
        dashboard = Dashboard(
            lambda: self.view, plan, lambda: self.events, Access("", loopback=True), lambda: self.now
        )
        self.listener = Listener(0, routes=dashboard.routes(), report=print)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.address[1]}"


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    with made.listener:
        yield made


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get(SHOTS) or tmp_path)
    folder.mkdir(exist_ok=True)
    return folder


def test_it_lives(site: Site, tmp_path: Path, shots: Path) -> None:
    with Browser(tmp_path / "profile") as browser:
        browser.go(site.url)
        browser.press("/")
        assert browser.ask("document.activeElement.id") == "filter"
        browser.enter("payments")
        browser.wait("document.querySelectorAll('#units tbody tr').length === 1")
        assert browser.ask("location.search") == "?q=payments"
        unit = next(one for one in site.view.units if one.id == PAY)
        site.view = replace(site.view, units=(replace(unit, error="the token has expired"),), at=NOW + 3)
        site.now = NOW + 8
        browser.wait("document.querySelector('#units').textContent.includes('the token has expired')")
        assert browser.ask("document.querySelector('#age').textContent").startswith("as of")
        assert browser.ask("document.querySelector('#filter').value") == "payments"
        browser.press("Escape")
        browser.wait("document.activeElement.id !== 'filter' && location.search === ''")
        site.listener.stop()
        browser.wait("document.querySelector('#age').textContent.includes('connection lost')")
        browser.shot(shots / "lost.png")


def colour(browser: Browser, state: str) -> object:
    """How the chip of a state looks."""
    return browser.ask(f"getComputedStyle(document.querySelector('.state-{state}')).color")


def test_what_nobody_renews_is_not_green_in_the_browser(site: Site, tmp_path: Path, shots: Path) -> None:
    with Browser(tmp_path / "profile") as browser:
        browser.go(site.url)
        green, grey = colour(browser, "synced"), colour(browser, "unknown")
        assert green != grey
        told = "document.querySelector('[aria-live]').textContent"
        answer, fails = site.listener.routes["/"], threading.Event()

        def answer_or_fail(request: Request) -> Response:
            if fails.is_set():
                raise OSError
            return answer(request)

        site.listener.routes["/"] = answer_or_fail
        fails.set()
        browser.wait("document.querySelector('#age').textContent.includes('connection lost')")
        browser.ask(LATER)
        browser.wait(f"{told}.includes('what this page shows is old')")
        assert {colour(browser, state) for state in ("synced", "healthy", "degraded", "outofsync")} == {grey}
        browser.shot(shots / "old.png")
        fails.clear()
        browser.wait(f"{told} === ''")
        assert colour(browser, "synced") == green


def test_an_answer_that_never_comes_is_a_lost_connection(site: Site, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as browser:
        browser.go(site.url)
        browser.ask(HASTE)
        end = threading.Event()

        def wait(_: Request) -> Response:
            end.wait(60)
            return Response()

        site.listener.routes["/"] = wait
        try:
            browser.wait("document.querySelector('#age').textContent.includes('connection lost')")
        finally:
            end.set()


def test_a_unit_that_is_gone_and_a_login_that_ended_are_said(site: Site, tmp_path: Path) -> None:
    locked = Dashboard(lambda: site.view, plan, lambda: (), Access("t" * 16, loopback=False), lambda: NOW)
    with Browser(tmp_path / "profile") as browser:
        browser.go(site.url + unit_href(PAY))
        site.view = replace(site.view, units=())
        browser.wait("document.body.textContent.includes('No such unit')")
        browser.go(site.url)
        site.listener.routes |= locked.routes()
        browser.wait("document.body.textContent.includes('This dashboard asks for its token.')")


def test_a_page_whose_parts_alone_are_refused_is_loaded_again_once(site: Site, tmp_path: Path) -> None:
    answer = site.listener.routes["/"]
    asked: list[bool] = []

    def refuse_parts(request: Request) -> Response:
        asked.append(FRAGMENT in request.headers)
        return Response(status=HTTPStatus.UNAUTHORIZED) if asked[-1] else answer(request)

    site.listener.routes["/"] = refuse_parts
    with Browser(tmp_path / "profile") as browser:
        browser.go(site.url)
        deadline = time.monotonic() + 60
        while asked.count(True) < 4 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert asked.count(True) >= 4
        assert asked.count(False) == 2


def test_the_tree_stays_as_a_person_left_it(site: Site, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as browser:
        browser.go(site.url + unit_href(PAY))
        browser.ask("document.querySelector('#objects summary').click()")
        folded = "document.querySelector('#objects details').open"
        assert browser.ask(folded) is False
        event = Event(
            unit=PAY, severity=Severity.INFO, reason="News", message="fresh", at="", stack="production"
        )
        site.events = (event,)
        browser.wait("document.querySelector('#events').textContent.includes('fresh')")
        assert browser.ask(folded) is False


def test_a_long_message_stays_where_a_person_scrolled_it(site: Site, tmp_path: Path) -> None:
    error = "\n".join(f"line {number} of a long error" for number in range(200))
    site.view = replace(site.view, units=tuple(replace(unit, error=error) for unit in site.view.units))
    with Browser(tmp_path / "profile") as browser:
        browser.go(site.url + unit_href(PAY))
        browser.ask("document.querySelector('.message').scrollTop = 300")
        browser.ask("document.querySelector('#unit .unit').focus()")
        browser.ask(f"{MARK} document.querySelector('#unit')")
        site.now = NOW + 5
        browser.wait(REPLACED)
        assert browser.ask("document.querySelector('.message').scrollTop") == 300
        assert browser.ask("document.activeElement === document.querySelector('#unit .unit')") is True


def test_who_uses_the_keyboard_stays_at_the_kind_that_was_folded(site: Site, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as browser:
        browser.go(site.url + unit_href(PAY))
        first = "document.querySelector('#objects summary')"
        browser.ask(f"{first}.focus()")
        browser.ask(f"{first}.click()")
        browser.ask(f"{MARK} document.querySelector('#objects')")
        site.events = (replace(events()[0], unit=PAY, message="fresh"),)
        browser.wait("document.querySelector('#events').textContent.includes('fresh')")
        assert browser.ask(f"!({REPLACED})") is True, "nothing new was in it"
        unit = next(one for one in site.view.units if one.id == PAY)
        noted = tuple(replace(one, notes=(ObjectNote(Finding.MISSING, "gone"),)) for one in unit.objects)
        site.view = replace(site.view, units=(replace(unit, objects=noted),))
        browser.wait(REPLACED)
        assert browser.ask(f"document.activeElement === {first}") is True
        assert browser.ask(f"{first}.parentElement.open") is False


def test_a_link_that_is_there_often_keeps_the_focus_where_it_was(site: Site, tmp_path: Path) -> None:
    site.events = tuple(replace(events()[0], unit=PAY, message=f"event {number}") for number in range(5))
    with Browser(tmp_path / "profile") as browser:
        browser.go(f"{site.url}/events")
        third = "document.querySelectorAll('#events .unit')[2]"
        browser.ask(f"{third}.focus()")
        browser.ask(f"{MARK} document.querySelector('#events')")
        site.events = (*site.events, replace(events()[0], message="fresh"))
        browser.wait(REPLACED)
        assert browser.ask(f"document.activeElement === {third}") is True


def test_markup_in_a_message_is_text(site: Site, tmp_path: Path) -> None:
    hostile = "</td><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    site.view = replace(
        site.view, units=tuple(replace(unit, error=hostile) for unit in site.view.units), leader=hostile
    )
    with Browser(tmp_path / "profile") as browser:
        for address in ("/", unit_href(PAY)):
            browser.go(site.url + address)
            browser.wait("document.querySelector('#age').textContent.includes('ago')")
            assert browser.ask("document.title.includes('owned')") is False
            assert browser.ask("document.body.textContent.includes('<script>document.title')") is True
        assert browser.console == []


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_pages_are_read_with_and_without_javascript(
    site: Site, tmp_path: Path, script: bool, shots: Path
) -> None:
    with Browser(tmp_path / "profile", script=script) as browser:
        for name, address in (
            ("list", "/"),
            ("unit", unit_href(PAY)),
            ("images", "/images"),
            ("events", "/events"),
        ):
            browser.go(site.url + address)
            browser.shot(shots / f"{name}-{'script' if script else 'plain'}.png")
            assert browser.ask("document.querySelector('#age').textContent").startswith("as of 1")
            assert browser.ask("document.documentElement.scrollWidth <= window.innerWidth") is True
        assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(246, 247, 249)"
        assert browser.console == []


@pytest.mark.parametrize("size", [(1280, 900), (400, 860)], ids=["desk", "phone"])
def test_dark_and_narrow(site: Site, tmp_path: Path, size: tuple[int, int], shots: Path) -> None:
    with Browser(tmp_path / "profile", dark=True, size=size) as browser:
        for name, address in (("list", "/"), ("unit", unit_href(PAY)), ("events", "/events")):
            browser.go(site.url + address)
            browser.shot(shots / f"{name}-dark-{size[0]}.png")
            assert browser.ask("document.documentElement.scrollWidth <= window.innerWidth") is True
        assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(16, 21, 27)"
