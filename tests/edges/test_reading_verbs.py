"""Verbs that read, on a real API server and Git server, with records that Weir's own code wrote."""

from __future__ import annotations

import contextlib
import itertools
import json
from pathlib import Path

import pytest
import yaml

from tests.support.git_server import GitServer
from tests.support.kube import Kube
from tests.support.reading import ReadingStack, cells
from tests.support.receivers import PROVIDER
from tests.support.stack import kustomization
from weir.edges.kube.events import write_event
from weir.flow.news import follow_events, follow_records
from weir.flow.settings import read_settings_file
from weir.notify.hooks import hook_path
from weir.spec.event import Event, Severity
from weir.spec.identity import UnitId

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def stack(
    tmp_path: Path,
    kubeconfig: Path,
    namespace: str,
    git_server: GitServer,
    monkeypatch: pytest.MonkeyPatch,
) -> ReadingStack:
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path / "cache"))
    made = ReadingStack(tmp_path, kubeconfig, namespace, git_server)
    made.declare()
    return made


def test_get_chooses_by_name_state_and_label(stack: ReadingStack, capsys: pytest.CaptureFixture[str]) -> None:
    commit = stack.commit()
    stack.fetched(commit)
    stack.applied(commit)
    assert stack.weir("get", "ks", "app", "-o", "wide") == 0
    titles, row = cells(capsys.readouterr().out)
    assert titles == ["NAME", "REVISION", "SUSPENDED", "READY", "MESSAGE", "SOURCE", "OBJECTS", "AGE"]
    assert (row[0], row[1], row[6]) == ("app", f"main@sha1:{commit[:8]}", "1")
    assert row[7].endswith("s")

    for nothing in (("ks", "other"), ("ks", "--status-selector", "ready=false"), ("ks", "-l", "team=a")):
        assert stack.weir("get", *nothing) == 0
        shown = capsys.readouterr()
        named = "ks other" if "other" in nothing else "ks"
        assert (shown.out, shown.err) == ("", f"✗ no {named} found in stack test\n")

    source = yaml.safe_load((stack.folder / "objects/stack.yaml").read_text().partition("---\n")[0])
    stack.declare(
        {**source, "metadata": {"name": "second", "namespace": stack.namespace, "labels": {"team": "a"}}}
    )
    assert stack.weir("get", "all", "-l", "team!=a", "-o", "json") == 0
    assert {one["kind"] for one in json.loads(capsys.readouterr().out)} == {"GitRepository", "Kustomization"}
    assert stack.weir("get", "sources", "git", "repo", "-o", "yaml") == 0
    [one] = yaml.safe_load(capsys.readouterr().out)
    assert (one["name"], one["ready"], one["revision"]) == ("repo", "True", f"main@sha1:{commit}")


def test_get_shows_a_unit_again_when_it_changes(stack: ReadingStack) -> None:
    commit = stack.commit()
    stack.applied(commit)
    clusters, config = stack.unit.clusters(), read_settings_file("test", stack.config)
    with contextlib.closing(follow_records(clusters, config, pytest.fail)) as news:
        assert next(news).revision == f"main@sha1:{commit}"
        stack.fetched(commit)
        assert next(news).id.kind == "GitRepository"


def test_watching_prints_rows_that_differ(
    stack: ReadingStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = stack.commit(), stack.commit("more")
    stack.applied(first)
    records = [stack.unit.records.read(stack.unit.spec().id)]
    stack.applied(second)
    records += [stack.unit.records.read(stack.unit.spec().id)] * 2
    monkeypatch.setattr("weir.cli.get.follow_records", lambda *_: iter(records))
    assert stack.weir("get", "ks", "--watch") == 0
    titles, *rows = cells(capsys.readouterr().out)
    assert titles[0] == "NAME"
    assert [row[1] for row in rows] == [f"main@sha1:{first[:8]}", f"main@sha1:{second[:8]}"]


def test_events_are_filtered_and_those_of_the_source_belong_to_the_unit(
    stack: ReadingStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.applied(stack.commit())
    unit = stack.unit.spec().id
    source = UnitId("GitRepository", stack.namespace, "repo")
    other = UnitId("Kustomization", stack.namespace, "other")
    for number, (who, severity) in enumerate(
        [(unit, Severity.INFO), (source, Severity.ERROR), (other, Severity.INFO)]
    ):
        at = f"2026-01-01T00:00:0{number}Z"
        event = Event(
            unit=who, severity=severity, reason="Because", message=f"said by {who.name}", at=at, stack="test"
        )
        write_event(stack.unit.kube, stack.namespace, event)

    def names(*words: str) -> list[str]:
        assert stack.weir("events", "-o", "json", *words) == 0
        return [one["name"] for one in json.loads(capsys.readouterr().out)]

    assert names() == ["app", "repo", "other"]
    assert names("--for", "Kustomization/app") == ["app", "repo"]
    assert names("--for", "ks/other") == ["other"]
    assert names("--for", "kustomizations") == ["app", "other"]
    assert stack.weir("events", "--for", "web") == 1
    assert "expected a kind or Kind/name" in capsys.readouterr().err
    assert names("--types", "warning") == ["repo"]
    assert names("-n", "elsewhere") == []
    assert stack.weir("events", "--types", "Warning") == 0
    titles, row = cells(capsys.readouterr().out)
    assert titles == ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert row[1:] == ["Warning", "Because", "GitRepository/repo", "said by repo"]

    monkeypatch.setattr(
        "weir.cli.events.follow_events", lambda *given: itertools.islice(follow_events(*given), 3)
    )
    assert stack.weir("events", "--watch", "-A") == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_tree_shows_objects_and_units_below_what_owns_them(
    stack: ReadingStack, capsys: pytest.CaptureFixture[str]
) -> None:
    child = kustomization("child", "repo", "./child", namespace=stack.namespace)
    stack.repo.commit(
        {"app/child.yaml": yaml.safe_dump(child), "child/kustomization.yaml": "resources: []\n"}, "x"
    )
    stack.applied(stack.commit(), "web", "more")
    space = stack.namespace
    assert stack.weir("tree", "kustomization", "app") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Kustomization/{space}/app",
        f"├── ConfigMap/{space}/more",
        f"├── ConfigMap/{space}/web",
        f"└── Kustomization/{space}/child",
    ]
    assert stack.weir("tree", "--compact", "-o", "json") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["kind"], [one["name"] for one in data["resources"]]) == ("Stack", ["repo", "app"])
    assert [one["name"] for one in data["resources"][1]["resources"]] == ["child"]
    assert stack.weir("tree", "ks", "nobody") == 1
    assert "expected a unit of the stack" in capsys.readouterr().err


def test_trace_leads_from_a_pod_to_its_commit(
    stack: ReadingStack, kube: Kube, capsys: pytest.CaptureFixture[str]
) -> None:
    commit = stack.commit()
    assert stack.weir("diff") in (0, 1), "fetches the commit"
    stack.fetched(commit)
    stack.applied(commit)
    owner = kube.get("v1", "ConfigMap", "web", stack.namespace)
    assert owner
    above = {"apiVersion": "v1", "kind": "ConfigMap", "name": "web", "uid": owner["metadata"]["uid"]}
    part = {"name": "part", "namespace": stack.namespace, "ownerReferences": [{**above, "controller": True}]}
    kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": part})
    capsys.readouterr()

    assert stack.weir("trace", "secret", "part", "-n", stack.namespace) == 0
    lines = [line.partition(":") for line in capsys.readouterr().out.splitlines()]
    found = [(key, value.strip()) for key, _, value in lines]
    assert found[:4] == [
        ("Object", "Secret/part"),
        ("Namespace", stack.namespace),
        ("Owned by", "ConfigMap/web"),
        ("Status", "Managed by Weir"),
    ]
    assert ("Kustomization", "app") in found
    assert ("Path", "./app") in found
    assert ("URL", stack.repo.url) in found
    assert ("Branch", "main") in found
    assert found.count(("Revision", f"main@sha1:{commit[:8]}")) == 2
    assert dict(found)["Commit"].startswith("Have web (")


def test_trace_says_what_it_does_not_know(
    stack: ReadingStack, kube: Kube, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.applied(stack.commit())
    meta = {"name": "strange", "namespace": stack.namespace}
    kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    assert stack.weir("trace", "configmaps/strange", "-n", stack.namespace) == 0
    assert "Not managed by Weir" in capsys.readouterr().out
    kube.delete("v1", "ConfigMap", "web", stack.namespace)
    assert stack.weir("trace", "cm", "web", "-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["live"], found["unit"]["name"], found["commit"]) == (False, "app", None)
    assert stack.weir("trace", "configmap", "nobody") == 1
    assert "expected its namespace" in capsys.readouterr().err
    assert stack.weir("trace", "widget", "nobody") == 1
    assert "expected a kind that the cluster serves" in capsys.readouterr().err


def test_explain_follows_a_commit(stack: ReadingStack, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = stack.commit(), stack.commit("more")
    unit = stack.unit.spec().id
    stack.fetched(first)
    stack.applied(first)
    assert stack.weir("explain", first[:8]) == 0
    assert f"{first[:8]} is live" in capsys.readouterr().out
    assert stack.weir("explain", second[:8]) == 1
    assert "not fetched: the last run found" in capsys.readouterr().out.splitlines()[0]
    stack.fetched(second)
    assert stack.weir("explain", second, "-o", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["obstacle"] == {"unit": str(unit), "message": "not applied yet: the next run does it"}

    side = stack.repo.commit({"side.txt": "x"}, "aside", branch="side")
    assert stack.weir("explain", side) == 1
    assert "not in its history: it is at main@sha1:" in capsys.readouterr().out
    stack.pin(first)
    stack.fetched(first)
    assert stack.weir("explain", first[:8]) == 0, "a pinned commit has a history too"
    assert stack.weir("explain", second[:8]) == 1
    assert f"it is at sha1:{first[:8]}" in capsys.readouterr().out
    assert stack.weir("explain", "zz") == 2
    assert "expected a hash" in capsys.readouterr().err


def test_build_masks_secrets_unless_they_are_asked_for(
    stack: ReadingStack, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stack.commit(data={"key": "${word}"})
    hushed = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": stack.namespace}}
    folder = tmp_path / "local"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "secret.yaml").write_text(yaml.safe_dump({**hushed, "stringData": {"key": "hush"}}))
    stack.declare(postBuild={"substitute": {"word": "said"}})
    assert stack.weir("build", "kustomization", "app") == 0
    [obj] = yaml.safe_load_all(capsys.readouterr().out)
    assert (obj["metadata"]["name"], obj["data"]) == ("web", {"key": "said"})
    assert stack.weir("build", "ks", "app", "--path", str(folder)) == 0
    shown = capsys.readouterr().out
    assert "hush" not in shown
    assert yaml.safe_load(shown)["stringData"] == {"key": "***"}
    assert stack.weir("build", "ks", "app", "--path", str(folder), "--show-secrets", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)[0]["stringData"] == {"key": "hush"}


def test_export_prints_what_git_declares(stack: ReadingStack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.applied(stack.commit())
    assert stack.weir("export", "kustomization", "app") == 0
    assert yaml.safe_load(capsys.readouterr().out)["spec"] == stack.unit.document(path="./app")["spec"]
    assert stack.weir("export", "sources", "git", "--all") == 0
    exported = yaml.safe_load(capsys.readouterr().out)
    assert (exported["kind"], exported["spec"]["url"]) == ("GitRepository", stack.repo.url)
    assert stack.weir("export", "ks", "nobody") == 1
    assert stack.weir("export", "images", "--all") == 0
    assert "✗ no images found in stack test" in capsys.readouterr().err
    assert stack.weir("export", "ks") == 1
    assert "either names or --all" in capsys.readouterr().err


def test_alerts_providers_and_receivers_say_what_is_wrong_with_them(
    stack: ReadingStack, kube: Kube, capsys: pytest.CaptureFixture[str]
) -> None:
    def notice(kind: str, name: str, version: str, **spec: object) -> dict[str, object]:
        api = f"notification.toolkit.fluxcd.io/{version}"
        return {
            "apiVersion": api,
            "kind": kind,
            "metadata": {"name": name, "namespace": stack.namespace},
            "spec": spec,
        }

    sources = [{"kind": "Kustomization", "name": "*"}]
    stack.declare(
        notice("Alert", "all", "v1beta3", providerRef={"name": "chat"}, eventSources=sources, suspend=True),
        notice("Provider", "chat", "v1beta3", type="carrier-pigeon"),
        notice(
            "Receiver", "hook", "v1", type="github", secretRef={"name": "token"}, resources=sources_of(stack)
        ),
        notice(
            "Receiver", "ci", "v1", type="generic-oidc", oidcProviders=[PROVIDER], resources=sources_of(stack)
        ),
    )
    meta = {"name": "token", "namespace": stack.namespace}
    kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"token": "t"}})
    assert stack.weir("get", "alerts") == 0
    row = cells(capsys.readouterr().out)[1]
    assert row[:3] == ["all", "True", "False"]
    assert row[3].endswith(f"spec.providerRef: found no usable Provider/{stack.namespace}/chat")
    assert stack.weir("get", "alert-providers", "--status-selector", "ready=false") == 0
    titles, row = cells(capsys.readouterr().out)
    assert titles == ["NAME", "READY", "MESSAGE"]
    assert row[:2] == ["chat", "False"]
    assert "carrier-pigeon" in row[2]
    assert stack.weir("get", "alert-providers", "-o", "wide") == 0
    assert cells(capsys.readouterr().out)[0] == ["NAME", "SUSPENDED", "READY", "MESSAGE"]
    assert stack.weir("get", "receivers", "-o", "json") == 0
    ci, hook = json.loads(capsys.readouterr().out)
    assert hook["message"].startswith("Receiver initialized for path: /hook/")
    assert ci["message"] == f"Receiver initialized for path: {hook_path(b'', 'ci', stack.namespace)}"


def sources_of(stack: ReadingStack) -> list[dict[str, str]]:
    return [{"kind": "GitRepository", "name": "repo", "namespace": stack.namespace}]


def test_figures_version_and_check(
    stack: ReadingStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.applied(stack.commit())
    assert stack.weir("stats") == 0
    rows = {row[0]: row[1:] for row in cells(capsys.readouterr().out)}
    assert rows["Kustomization"] == ["1", "0", "0", "-"]
    assert rows["GitRepository"] == ["0", "0", "0", "-"]

    assert stack.weir("version", "-o", "json") == 0
    versions = json.loads(capsys.readouterr().out)
    assert set(versions) == {"weir", "pulumi", "kustomize", "kubernetes"}
    assert all(version.startswith("v") for version in versions.values())
    assert stack.weir("version", "--client") == 0
    assert "kubernetes" not in capsys.readouterr().out

    assert stack.weir("check", "--pre") == 0
    shown = capsys.readouterr().out
    assert "► checking cluster" in shown
    assert "✔ all checks passed" in shown
    monkeypatch.setenv("PULUMI_BACKEND_URL", (stack.folder / "backend").as_uri())
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    assert stack.weir("check", "-o", "json") == 1
    found = {one["message"]: one["ok"] for one in json.loads(capsys.readouterr().out)}
    assert found[f"namespace {stack.namespace} holds the records of 1 units"]
    assert found["the account may write records, leases, events and Deployments"]
    assert not all(found.values())
