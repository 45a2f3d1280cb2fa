"""`weir trigger receiver`: what it sends is taken by a receiver of its type, and what failed is sent again."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from tests.support.receivers import receiver, units
from tests.support.sink import Sink, running_sink
from weir.cli import main
from weir.notify.hooks import hook_path
from weir.spec.receiver import OIDC
from weir.watch.listener import Listener
from weir.watch.receivers import Receivers

HUSH = "hush-hush"
PATH = hook_path(HUSH.encode(), "push", "apps")


@pytest.fixture
def sink() -> Iterator[Sink]:
    with running_sink() as found:
        yield found


def trigger(url: str, *flags: str) -> int:
    quick = ("--retry-delay=1ms", "--timeout=20s")
    return main(["trigger", "receiver", "push", "-n", "apps", "--url", url, *quick, *flags])


@pytest.mark.parametrize("kind", ["generic", "generic-hmac"])
def test_a_receiver_of_the_type_takes_it(kind: str) -> None:
    asked: list[object] = []
    receivers = Receivers(
        secret=lambda *_: {"token": HUSH.encode()},
        on_request=asked.append,
        report=lambda _, why: pytest.fail(why),
    )
    receivers.serve([receiver(type=kind, resourceFilter="req.go == true")], units("fleet"))
    with Listener(0, routes={}, hooks=receivers, report=pytest.fail) as listener:
        host, port = listener.address
        url = f"http://{host}:{port}/"
        assert trigger(url, "--type", kind, "--token", HUSH, "--payload", '{"go": true}') == 0
    assert asked == [tuple(units("fleet"))]


def test_it_is_sent_again_until_it_is_taken(sink: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    sink.answers[:] = [503, 0, 404, 200]
    assert trigger(f"{sink.url}/base/", "--token", HUSH) == 0
    assert [one.path for one in sink.got] == [f"/base{PATH}"] * 4
    assert sink.got[0].headers["content-type"] == "application/json"
    assert sink.got[0].body == b"{}"
    shown = capsys.readouterr()
    assert shown.out.splitlines() == ["► triggering Receiver/apps/push", "✔ Receiver/apps/push triggered"]
    assert f"◎ 127.0.0.1:{sink.port}: answers 503; trying again in 0.001 s (1 of 10)" in shown.err
    assert PATH not in shown.out + shown.err


@pytest.mark.parametrize(
    ("answers", "flags", "sent", "said"),
    [
        ([400], (), 1, "answers 400; the receiver has another type"),
        ([404], ("--retries=0",), 1, "answers 404; the receiver has another name, namespace or token"),
        ([503, 503, 503], ("--retries=2",), 3, "answers 503; the receiver is suspended or not ready"),
        ([500], ("--retry-delay=1m", "--timeout=30s"), 1, "answers 500"),
    ],
)
def test_it_gives_up_with_a_reason(
    answers: list[int],
    flags: tuple[str, ...],
    sent: int,
    said: str,
    sink: Sink,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sink.answers[:] = answers
    assert trigger(sink.url, "--token", HUSH, *flags) == 1
    assert len(sink.got) == sent
    shown = capsys.readouterr()
    assert f"✗ 127.0.0.1:{sink.port}: {said}" in shown.err
    assert HUSH not in shown.out + shown.err


def test_the_token_may_come_by_the_standard_input(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{HUSH}\n"))
    assert trigger(sink.url, "--token", "-") == 0
    assert sink.got[0].path == PATH


def test_an_id_token_is_that_of_the_job_or_one_that_is_given(
    sink: Sink, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("FLUX_TRIGGER_RECEIVER_OIDC_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"):
        monkeypatch.delenv(name, raising=False)
    assert trigger(sink.url, "--type", OIDC) == 1
    assert trigger(sink.url, "--type", OIDC, "--oidc-provider=github") == 1
    assert "`permissions: {id-token: write}`" in capsys.readouterr().err
    monkeypatch.setenv("FLUX_TRIGGER_RECEIVER_OIDC_TOKEN", "by-variable")
    assert trigger(sink.url, "--type", OIDC) == 0
    assert trigger(sink.url, "--type", OIDC, "--oidc-token=given") == 0
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{sink.url}/token?v=1")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer")
    sink.body = b'{"value": "of-the-job"}'
    assert trigger(sink.url, "--type", OIDC, "--oidc-provider=github", "--oidc-audience=a b") == 0
    sink.answers[:] = [403]
    assert trigger(sink.url, "--type", OIDC, "--oidc-provider=forgejo") == 1
    assert [(one.method, one.path, one.headers["authorization"]) for one in sink.got] == [
        ("POST", hook_path(b"", "push", "apps"), "Bearer by-variable"),
        ("POST", hook_path(b"", "push", "apps"), "Bearer given"),
        ("GET", "/token?v=1&audience=a%20b", "Bearer bearer"),
        ("POST", hook_path(b"", "push", "apps"), "Bearer of-the-job"),
        ("GET", "/token?v=1&audience=notification-controller", "Bearer bearer"),
    ]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "--token: found nothing, expected the token of the receiver's Secret"),
        (("--type", OIDC, "--token=a"), f"--token: found 'one', expected none for type {OIDC}"),
        (("--token=a", "--oidc-token=b"), f"--oidc-token: found 'it', expected --type {OIDC} with it"),
        (("--type", OIDC, "--oidc-token=b", "--oidc-provider=github"), "expected one of them"),
        (("--type", OIDC, "--oidc-audience=b"), "expected --oidc-provider with it"),
        (("--url=weir.example",), "--url: found 'weir.example', expected an http:// or https:// URL"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused(
    flags: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trigger("http://127.0.0.1:1", *flags) == 1
    assert said in capsys.readouterr().err
