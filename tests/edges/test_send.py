"""How one notification is sent: by which proxy, trusting whom, and what the answers of single services mean."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.delivery import NO_LABELS, NOW, ONCE, Secrets, go
from tests.support.events import COMMIT, event
from tests.support.fault_proxy import FaultProxy
from tests.support.notices import alert, alert_object, provider, provider_object
from tests.support.proxy import running_proxy
from tests.support.sink import Sink
from tests.support.tls import Authority
from weir.edges.outbox import Outbox
from weir.edges.runs import Run
from weir.flow import notices
from weir.flow.deliver import deliver_kept
from weir.flow.send import Sender
from weir.notify.commit_status import status_name
from weir.spec.documents import Document
from weir.spec.provider import ProviderSpec

BUDGET = 60.0
"""Seconds; a round ends when all is sent."""


@dataclass(frozen=True)
class Forge:
    """A forge, and the Secret `sink` for it."""

    url: str
    secret: Mapping[str, bytes]

    def provider(self, **spec: Any) -> ProviderSpec:
        """A provider of commit statuses there."""
        return provider(f"{self.url}/team/app", "gitea", secretRef={"name": "sink"}, **spec)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """An outbox with one event."""
    outbox = Outbox(tmp_path / "outbox")
    outbox.put([(event("a"), NO_LABELS)], NOW)
    return outbox


@pytest.fixture
def forge(sink: Sink, tmp_path: Path) -> Iterator[Forge]:
    """The same over TLS, and what a Secret for it holds."""
    authority = Authority(tmp_path / "tls")
    with FaultProxy(sink.url, tls=authority.server()) as server:
        yield Forge(server.url, {"token": b"t0ken", "ca.crt": authority.pem})


def test_the_proxy_is_that_of_the_secret(outbox: Outbox, sink: Sink, forge: Forge) -> None:
    login = f"Basic {base64.b64encode(b'me:pass').decode()}"
    with running_proxy(login) as proxy:
        address = f"http://me:pass@127.0.0.1:{proxy.port}\n".encode()
        to = forge.provider(proxy="http://127.0.0.1:1")
        done = go(outbox, to, clusters=Secrets(sink={**forge.secret, "proxy": address}), budget=BUDGET)
        assert (done.sent, len(sink.got)) == (1, 1)
        assert [head.split()[0] for head in proxy.seen] == ["CONNECT"]


def test_a_proxy_secret_stands_before_the_proxy_of_the_secret(
    outbox: Outbox, sink: Sink, forge: Forge
) -> None:
    with running_proxy() as proxy:
        secret = {**forge.secret, "proxy": b"http://127.0.0.1:1"}
        secrets = Secrets(sink=secret, proxy={"address": proxy.url.encode()})
        done = go(outbox, forge.provider(proxySecretRef={"name": "proxy"}), clusters=secrets, budget=BUDGET)
        assert (done.sent, len(sink.got), len(proxy.seen)) == (1, 1, 1)


def test_a_proxy_that_is_none_is_told_by_its_key_and_without_its_text(outbox: Outbox, sink: Sink) -> None:
    to = provider(sink.url, secretRef={"name": "sink"})
    done = go(outbox, to, clusters=Secrets(sink={"proxy": b"socks5://me:hidden@proxy"}))
    assert done.delayed[to.id].startswith("Secret/flux-system/sink: key proxy is not a URL such as ")
    assert "hidden" not in repr(done)
    assert sink.got == []


def test_a_commit_status_trusts_the_authority_in_the_secret(outbox: Outbox, sink: Sink, forge: Forge) -> None:
    done = go(outbox, forge.provider(), clusters=Secrets(sink=forge.secret), budget=BUDGET)
    assert (done.sent, done.delayed) == (1, {})
    assert sink.got[0].path == f"/api/v1/repos/team/app/statuses/{COMMIT}"


def test_other_types_trust_the_authority_of_the_cert_secret_only(outbox: Outbox, forge: Forge) -> None:
    secrets = Secrets(sink=forge.secret)
    assert (
        go(outbox, provider(forge.url, secretRef={"name": "sink"}), clusters=secrets, budget=ONCE).left == 1
    )
    trusting = provider(forge.url, certSecretRef={"name": "sink"})
    assert go(outbox, trusting, clusters=secrets, at=NOW + 3600, budget=BUDGET).sent == 1


@pytest.mark.parametrize("status", [403, 429])
def test_a_commit_status_waits_until_the_rate_limit_of_github_ends(
    outbox: Outbox, sink: Sink, status: int
) -> None:
    """https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit."""
    sink.answers[:] = [status]
    sink.headers |= {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 3600)}
    to = provider(f"{sink.url}/team/app", "github", secretRef={"name": "sink"})
    secrets = Secrets(sink={"token": b"t0ken"})
    done = go(outbox, to, clusters=secrets, budget=BUDGET)
    assert (done.sent, done.left, done.lost) == (0, 1, [])
    assert go(outbox, to, clusters=secrets, at=NOW + 600, budget=ONCE).left == 1
    assert len(sink.got) == 1, "it is left alone until then"
    assert go(outbox, to, clusters=secrets, at=NOW + 3700, budget=BUDGET).sent == 1


def test_a_forbidden_commit_status_is_lost(outbox: Outbox, sink: Sink) -> None:
    sink.answers[:] = [403]
    sink.headers |= {"x-ratelimit-remaining": "4999", "x-ratelimit-reset": "1800003600"}
    to = provider(f"{sink.url}/team/app", "github", secretRef={"name": "sink"})
    done = go(outbox, to, clusters=Secrets(sink={"token": b"t0ken"}), budget=BUDGET)
    assert "refuses it (403)" in done.lost[0]


def test_lark_says_no_in_an_answer_that_looks_fine(outbox: Outbox, sink: Sink) -> None:
    sink.body = b'{"code":11232,"msg":"frequency limited"}'
    to = provider(sink.url, "lark")
    done = go(outbox, to, budget=ONCE)
    assert (done.sent, done.left, done.lost) == (0, 1, [])
    sink.body = b'{"code":19024,"msg":"Key Words Not Found"}'
    (lost,) = go(outbox, to, at=NOW + 600, budget=BUDGET).lost
    assert "127.0.0.1: refused: code 19024: " in lost


def test_what_a_connector_of_teams_did_not_pass_on_is_sent_again(
    outbox: Outbox, sink: Sink, tmp_path: Path
) -> None:
    host, authority = "acme.webhook.office.com", Authority(tmp_path / "tls")
    with (
        FaultProxy(sink.url, tls=authority.server(host)) as server,
        running_proxy(routes={host: server.port}) as proxy,
    ):
        secrets = Secrets(tls={"ca.crt": authority.pem}, proxy={"address": proxy.url.encode()})
        trust: dict[str, Any] = {"certSecretRef": {"name": "tls"}, "proxySecretRef": {"name": "proxy"}}
        to = provider(f"https://{host}/webhookb2/x", "msteams", **trust)
        sink.body = (
            b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"
        )
        done = go(outbox, to, clusters=secrets, budget=ONCE)
        assert (done.sent, done.left, done.lost) == (0, 1, [])
        sink.body = b"1"
        assert go(outbox, to, clusters=secrets, at=NOW + 600, budget=BUDGET).sent == 1
    assert sink.got


def test_an_expression_reads_the_documents_as_they_are_written(
    sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    parts = (
        "provider.metadata.labels.cluster",
        "provider.spec.address.split('/')[4]",
        "provider.spec.secretRef.name",
        "provider.metadata.uid",
        "alert.metadata.name",
        "alert.spec.eventSources[0].kind",
        "alert.metadata.uid",
    )
    address, expr = f"{sink.url}/team/app", " + ' ' + ".join(parts)
    to = provider_object(address, "gitea", secretRef={"name": "forge"}, commitStatusExpr=expr)
    to["metadata"]["labels"] = {"cluster": "eu-1"}
    run = Run.current()
    notices.announce(
        run, [Document("f.yaml", index, data) for index, data in enumerate((to, alert_object()))]
    )
    notices.keep(run, "prod", whole=True)
    told = event("a", stack="prod")
    Outbox(notices.outbox_folder("prod")).put([(told, NO_LABELS)], time.time())
    secrets = Secrets(forge={"token": b"t0ken"})
    done = deliver_kept("prod", lambda: secrets, budget_seconds=BUDGET, stop=threading.Event())
    assert (done.sent, done.lost) == (1, [])
    *written, provider_uid, name, kind, alert_uid = sink.got[0].json["context"].split()
    assert (*written, name, kind) == ("eu-1", "app", "forge", "all", "Kustomization")
    assert UUID(provider_uid) != UUID(alert_uid)
    assert status_name(provider(address, "gitea"), told).endswith(f"/{provider_uid.split('-')[0]}")


def test_a_google_key_becomes_a_token_and_one_that_is_none_is_told_without_it(outbox: Outbox) -> None:
    to = provider("acme", "googlepubsub", channel="topic", secretRef={"name": "key"})
    done = go(outbox, to, clusters=Secrets(key={"token": b"hidden"}), budget=ONCE)
    (why,) = done.delayed.values()
    assert why.startswith("Secret/flux-system/key: key token: expected the JSON key of a service account")
    assert "hidden" not in why
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = {"client_email": "a@acme.example", "private_key_id": "1", "private_key": private.decode()}
    secrets = Secrets(key={"token": json.dumps(key).encode()})
    (message,) = Sender(to, {}, secrets, threading.Event())._messages(alert(), event("a"))
    assert message.headers["Authorization"].startswith("Bearer ey")
    assert private[30:60] not in message.body
