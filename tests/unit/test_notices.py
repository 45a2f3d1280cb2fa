"""Where a run leaves its Alerts and Providers, and that a stack without any pays nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.events import event
from tests.support.notices import alert_object, provider_object
from weir.edges.outbox import Outbox
from weir.edges.runs import Run
from weir.flow import notices
from weir.flow.notice_status import notice_status
from weir.notify.match import sets_off
from weir.spec.alert import parse_alert
from weir.spec.documents import Document
from weir.spec.header import read_header
from weir.spec.identity import UnitId


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run in a cache of its own."""
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    return Run.current()


def documents(*objects: dict[str, object]) -> list[Document]:
    return [Document("notices.yaml", index, data) for index, data in enumerate(objects)]


def names(stack: str = "prod") -> list[str]:
    return [alert.id.name for alert in notices.read_kept(stack).alerts]


def test_an_update_keeps_what_its_look_ahead_met(run: Run) -> None:
    assert not notices.wanted(run, "prod")
    notices.announce(run, documents(alert_object(), provider_object("https://sink.example")))
    assert notices.wanted(run, "prod")
    assert not notices.kept("prod")
    notices.keep(run, "prod", whole=True)
    kept = notices.read_kept("prod")
    assert [str(alert.id) for alert in kept.alerts] == ["Alert/flux-system/all"]
    assert [str(unit) for unit in kept.providers] == ["Provider/flux-system/sink"]
    assert kept.problems == ()
    assert notices.kept("prod")
    assert not notices.kept("staging")


def test_what_is_gone_from_a_whole_tree_is_forgotten_and_of_a_broken_one_is_not(run: Run) -> None:
    notices.announce(run, documents(alert_object(name="a"), alert_object(name="b")))
    notices.keep(run, "prod", whole=True)
    notices.announce(run, documents(alert_object(name="b"), alert_object(name="c")))
    notices.keep(run, "prod", whole=False)
    assert names() == ["a", "b", "c"]
    notices.keep(run, "prod", whole=True)
    assert names() == ["b", "c"]


def test_a_stack_whose_last_alert_is_gone_forgets_it(run: Run) -> None:
    notices.announce(run, documents(alert_object()))
    notices.keep(run, "prod", whole=True)
    (run.root / "notices.json").unlink()
    notices.keep(run, "prod", whole=False)
    assert names() == ["all"]
    notices.keep(run, "prod", whole=True)
    assert not notices.kept("prod")


def test_what_is_wrong_is_told_and_leaves_the_others_alone(run: Run) -> None:
    wrong = provider_object("https://sink.example", "carrier-pigeon", "wrong")
    stray = alert_object("nobody", "stray")
    notices.announce(run, documents(wrong, alert_object(), stray, provider_object("https://sink.example")))
    found = notices.read_announced(run)
    assert len(found.alerts) == 2
    assert any(
        "spec.type" in problem and "Provider/flux-system/wrong" in problem for problem in found.problems
    )
    assert any(
        "spec.providerRef" in problem and "Alert/flux-system/stray" in problem for problem in found.problems
    )


def test_an_alert_or_a_provider_that_cannot_be_read_is_known_to_be_there(run: Run) -> None:
    odd = provider_object("https://sink.example", name="odd", timeout="soon")
    never = provider_object("https://sink.example", "nats", "never")
    twice = provider_object("https://sink.example", name="twice", timeout="soon")
    good = provider_object("https://sink.example", name="twice")
    broken = alert_object(name="broken", eventSources=[])
    odder = provider_object("https://sink.example", name="odder")
    odder["spec"]["type"] = ["slack"]
    notices.announce(run, documents(odd, odder, never, twice, good, broken))
    found = notices.read_announced(run)
    assert {str(unit) for unit in found.unreadable} == {
        "Provider/flux-system/odd",
        "Provider/flux-system/odder",
        "Alert/flux-system/broken",
    }
    assert "spec.timeout" in found.unreadable[UnitId("Provider", "flux-system", "odd")]


def test_a_bad_pattern_leaves_the_others_of_its_alert_to_count(run: Run) -> None:
    lists = alert_object(inclusionList=["(", "wanted"], exclusionList=["a(?=b)", "unwanted"])
    notices.announce(run, documents(lists, provider_object("https://sink.example")))
    found = notices.read_announced(run)
    (alert,) = found.alerts
    assert not found.unreadable
    assert [problem.partition(": found")[0] for problem in found.problems] == [
        "notices.yaml: Alert/flux-system/all: spec.inclusionList[0]",
        "notices.yaml: Alert/flux-system/all: spec.exclusionList[0]",
    ]
    told = [message for message in ("wanted", "unwanted", "(", "ab") if sets_off(alert, event(message), {})]
    assert told == ["wanted"]
    only_bad = parse_alert(documents(alert_object(inclusionList=["("]))[0], lambda _: None)
    assert not sets_off(only_bad, event("("), {})


def test_what_waits_is_not_forgotten_with_the_last_alert(run: Run) -> None:
    notices.announce(run, documents(alert_object()))
    notices.keep(run, "prod", whole=True)
    outbox = Outbox(notices.outbox_folder("prod"))
    outbox.put([(event(), {})], 1.0)
    (run.root / "notices.json").unlink()
    notices.keep(run, "prod", whole=True)
    assert notices.kept("prod"), "somebody has to tell what is lost"
    (entry,) = outbox.entries()
    outbox.remove(entry)
    assert not notices.kept("prod")


@pytest.mark.parametrize(("expr", "found"), [("x.y", "found 'x'"), ("math.abs(1)", "unknown function abs()")])
def test_an_expression_that_cannot_name_a_status_is_a_problem_before_there_is_an_event(
    run: Run, expr: str, found: str
) -> None:
    provider = provider_object(
        "https://sink.example/a/b", "gitea", secretRef={"name": "a"}, commitStatusExpr=expr
    )
    notices.announce(run, documents(alert_object(), provider))
    notices.keep(run, "prod", whole=True)
    kept = notices.read_kept("prod")
    assert kept.providers == {}
    assert "Provider" in kept.problems[0]
    assert "spec.commitStatusExpr: CEL expression" in kept.problems[0]
    assert found in kept.problems[0]
    (written,) = documents(provider)
    known = {read_header(written).id: written}
    (shown,) = notice_status(known, lambda _: True, lambda *_: {}, same_namespace=False)
    assert not shown.ready
    assert found in shown.message


def test_a_damaged_file_is_as_none(run: Run) -> None:
    notices.announce(run, documents(alert_object()))
    notices.keep(run, "prod", whole=True)
    (notices.outbox_folder("prod") / "notices.json").write_bytes(b"{")
    assert notices.read_kept("prod").alerts == ()


def test_without_alerts_a_run_ends_without_a_file_and_without_an_import(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from weir.cli._notify import notify;"
        "notify('prod', Path('Pulumi.prod.yaml'));"
        "print([name for name in sys.modules if name.startswith(('weir.notify', 'urllib3', 'weir.edges.outbox'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"WEIR_CACHE_DIR": str(tmp_path), "PATH": ""},
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []
