"""`weir create`: Flux's flags become Flux's objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.tls import Authority
from weir.cli import main
from weir.notify.hooks import hook_path

GIT = ("source", "git", "podinfo", "--url", "https://git.example/podinfo", "--branch", "main")


def export(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["create", *words, "--export"]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["create", *words]) == 1
    return capsys.readouterr().err


def test_git_source_is_written_as_flux_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert export(capsys, *GIT, "--secret-ref", "login", "--label", "team=a,tier=web") == (
        """---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: podinfo
  namespace: flux-system
  labels:
    team: a
    tier: web
spec:
  interval: 1m
  url: https://git.example/podinfo
  ref:
    branch: main
  secretRef:
    name: login
"""
    )


def test_as_in_flux_waiting_for_all_objects_is_instead_of_checks_and_has_two_minutes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def spec(*flags: str) -> dict[str, object]:
        text = export(capsys, "kustomization", "podinfo", "--source=podinfo", *flags)
        found: dict[str, object] = yaml.safe_load(text)["spec"]
        return {key: found[key] for key in ("wait", "timeout", "healthChecks") if key in found}

    check = "--health-check=Deployment/podinfo.default"
    assert spec() == {}
    assert spec("--wait", check) == {"wait": True, "timeout": "2m"}
    assert spec("--wait", "--health-check-timeout=3m") == {"wait": True, "timeout": "3m"}
    assert spec(check)["timeout"] == "2m"


def test_kustomization_takes_references_in_fluxs_form(capsys: pytest.CaptureFixture[str]) -> None:
    flags = [
        *("--source", "GitRepository/podinfo.sources", "--path", "./deploy", "--interval", "10m"),
        *("--depends-on", "crds,infra/ingress", "--health-check", "Deployment/podinfo.default"),
        *("--health-check-timeout", "3m"),
    ]
    spec = yaml.safe_load(export(capsys, "kustomization", "podinfo", "--prune", *flags))["spec"]
    assert spec == {
        "interval": "10m",
        "timeout": "3m",
        "sourceRef": {"kind": "GitRepository", "name": "podinfo", "namespace": "sources"},
        "path": "./deploy",
        "healthChecks": [
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo", "namespace": "default"}
        ],
        "dependsOn": [{"name": "crds"}, {"name": "ingress", "namespace": "infra"}],
        "prune": True,
    }


def test_kustomization_without_prune_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert yaml.safe_load(export(capsys, "kustomization", "a", "--source", "b"))["spec"]["prune"] is False


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("image", "repository", "app", "--image", "ghcr.io/org/app"), "ImageRepository"),
        (("image", "policy", "app", "--image-ref", "app", "--select-semver", ">=1.0"), "ImagePolicy"),
        (
            (
                "image",
                "policy",
                "app",
                "--image-ref",
                "app",
                "--select-numeric",
                "asc",
                "--filter-regex",
                "^r",
            ),
            "ImagePolicy",
        ),
        (
            (
                *("image", "update", "apps", "--git-repo-ref", "apps", "--author-email", "bot@example.com"),
                *("--checkout-branch", "main", "--push-branch", "bot"),
            ),
            "ImageUpdateAutomation",
        ),
        (
            ("alert", "all", "--provider-ref", "chat", "--event-source", "Kustomization/*,GitRepository/a.b"),
            "Alert",
        ),
        (("alert-provider", "chat", "--type", "slack", "--channel", "ops"), "Provider"),
        (
            (
                *("receiver", "hook", "--type", "github", "--secret-ref", "token", "--event", "push"),
                *("--resource", "GitRepository/podinfo"),
            ),
            "Receiver",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[:2]),
)
def test_every_kind_reads_back(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], kind: str) -> None:
    found = yaml.safe_load(export(capsys, *words))
    assert (found["kind"], found["metadata"]["namespace"]) == (kind, "flux-system")


def test_receiver_of_id_tokens_has_issuers_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    receiver = ("receiver", "ci", "--resource", "GitRepository/fleet", "--type")
    issuer = ("--oidc-issuer", "https://token.actions.githubusercontent.com")
    rule = "claims.repository in ['my-org/fleet', 'my-org/apps']"
    found = yaml.safe_load(
        export(
            capsys, *receiver, "generic-oidc", *issuer, "--oidc-audience", "weir", "--oidc-validation", rule
        )
    )
    assert found["spec"]["oidcProviders"] == [
        {
            "issuerURL": issuer[1],
            "audience": "weir",
            "validations": [{"expression": rule, "message": f"not true: {rule}"}],
        }
    ]
    assert "secretRef" not in found["spec"]
    assert "spec.oidcProviders" in refused(capsys, *receiver, "generic-oidc", "--export")
    assert "spec.secretRef" in refused(capsys, *receiver, "generic-oidc", "--secret-ref", "a", "--export")
    assert "--secret-ref: found nothing" in refused(capsys, *receiver, "github", "--export")


@pytest.mark.parametrize("kind", ["alert-provider", "receiver"])
def test_types_that_are_not_there_are_wrong_usage(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["create", kind, "a", "--type", "carrier-pigeon", "--resource", "GitRepository/a", "--export"])
    assert ended.value.code == 2
    assert "invalid choice: 'carrier-pigeon' (choose from 'generic', " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*GIT, "--tag", "v1", "--commit", "a" * 40), "--tag and --commit"),
        (("source", "git", "a", "--url", "git@host:repo"), "spec.url: found 'git@host:repo'"),
        (("image", "policy", "a", "--image-ref", "a"), "--select-semver, --select-alpha, --select-numeric"),
        (
            ("kustomization", "a", "--source", "b", "--health-check", "Job/a.b"),
            "--health-check: found 'Job/a.b'",
        ),
        (("kustomization", "A", "--source", "b"), "metadata.name: found 'A'"),
        (("source", "git", "a", "--url", "https://h/r", "--interval", "soon"), "spec.interval: found 'soon'"),
        (("alert", "a", "--provider-ref", "b", "--event-source", "web"), "expected Kind/name"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_wrong_flags_are_refused_by_name(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert said in refused(capsys, *words, "--export")


def test_secret_holds_fluxs_keys_and_is_only_ever_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("key", "hosts"):
        (tmp_path / name).write_text(f"{name} text\n")
    files = ("--private-key-file", str(tmp_path / "key"), "--known-hosts-file", str(tmp_path / "hosts"))
    ssh = yaml.safe_load(export(capsys, "secret", "git", "login", "--url", "ssh://git@host/repo", *files))
    assert ssh["stringData"] == {"identity": "key text\n", "known_hosts": "hosts text\n"}
    http = ("secret", "git", "login", "--url", "https://host/repo", "-u", "git", "-p", "hush")
    assert yaml.safe_load(export(capsys, *http))["stringData"] == {"username": "git", "password": "hush"}
    text = refused(capsys, *http, "--stack", "x")
    assert "pass --export" in text
    assert "hush" not in text
    assert "expected --username and --password" in refused(
        capsys, "secret", "git", "login", "--url", "https://host/repo", "--export"
    )


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a stack whose objects are in a folder; the folder."""
    (tmp_path / "stacks").mkdir()
    settings = {"config": {"weir:objects": "production", "weir:cluster": {"kubeconfig": "/nowhere"}}}
    (tmp_path / "stacks" / "Pulumi.production.yaml").write_text(yaml.safe_dump(settings))
    folder = tmp_path / "stacks" / "production"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    return folder


def test_created_object_gets_a_file_of_its_own(capsys: pytest.CaptureFixture[str], stack: Path) -> None:
    assert main(["create", *GIT, "--stack", "production"]) == 0
    assert "created in" in capsys.readouterr().out
    path = stack / "podinfo-gitrepository.yaml"
    assert yaml.safe_load(path.read_text())["spec"]["ref"] == {"branch": "main"}
    assert main(["create", *GIT, "--branch", "next", "--stack", "production"]) == 0
    assert "updated in" in capsys.readouterr().out
    assert yaml.safe_load(path.read_text())["spec"]["ref"] == {"branch": "next"}


def test_object_that_another_file_declares_is_left_alone(
    capsys: pytest.CaptureFixture[str], stack: Path
) -> None:
    (stack / "fleet.yaml").write_text(export(capsys, *GIT))
    text = refused(capsys, *GIT, "--stack", "production")
    assert "fleet.yaml" in text
    assert not (stack / "podinfo-gitrepository.yaml").exists()


def test_stack_that_reads_from_git_is_told_to_commit(capsys: pytest.CaptureFixture[str], stack: Path) -> None:
    source = {"url": "https://git.example/fleet", "path": "./clusters/prod"}
    settings = {"config": {"weir:source": source}}
    (stack.parent / "Pulumi.production.yaml").write_text(yaml.safe_dump(settings))
    text = refused(capsys, *GIT, "--stack", "production")
    assert "https://git.example/fleet/clusters/prod" in text
    assert "commit the change there, to main" in text


def test_without_stack_and_export_nothing_happens(capsys: pytest.CaptureFixture[str]) -> None:
    assert "neither --stack nor --export" in refused(capsys, *GIT)


def secret(capsys: pytest.CaptureFixture[str], kind: str, *flags: str) -> dict[str, Any]:
    text = export(capsys, "secret", kind, "hook", "-n", "apps", *flags)
    found: dict[str, Any] = yaml.safe_load(text)
    assert (found["apiVersion"], found["kind"]) == ("v1", "Secret")
    return found


def test_secret_of_a_receiver_says_where_its_webhooks_arrive(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = ("--hostname", "hooks.example", "--token", "hush")
    url = f"https://hooks.example{hook_path(b'hush', 'hook', 'apps')}"
    github = secret(capsys, "receiver", "--type=github", *flags)
    assert github["metadata"]["annotations"] == {"notification.toolkit.fluxcd.io/webhook": url}
    assert github["stringData"] == {"token": "hush"}
    gcr = secret(capsys, "receiver", "--type=gcr", *flags, "--email-claim=push@example.com")
    assert gcr["stringData"] == {"token": "hush", "email": "push@example.com", "audience": url}
    tokens = {
        secret(capsys, "receiver", "--type=generic", *flags[:2])["stringData"]["token"] for _ in range(2)
    }
    assert {len(token) for token in tokens} == {64}
    assert len(tokens) == 2
    for more in (("--type=gcr",), ("--type=github", "--email-claim=a")):
        assert "--email-claim" in refused(capsys, "secret", "receiver", "hook", *flags, *more, "--export")


def test_secrets_of_registries_and_proxies_have_a_login(capsys: pytest.CaptureFixture[str]) -> None:
    login = ("-u", "me", "-p", "hush")
    oci = secret(capsys, "oci", "--url=ghcr.io", *login)
    assert oci["type"] == "kubernetes.io/dockerconfigjson"
    data = {key: text.encode() for key, text in oci["stringData"].items()}
    entry = json.loads(data[".dockerconfigjson"])["auths"]["ghcr.io"]
    assert entry == {"username": "me", "password": "hush", "auth": "bWU6aHVzaA=="}
    assert "--username and --password" in refused(
        capsys, "secret", "oci", "hook", "--url=ghcr.io", "--export"
    )
    address = "http://proxy.example:3128"
    proxy = secret(capsys, "proxy", "--address", address, *login)["stringData"]
    assert proxy == {"address": address, "username": "me", "password": "hush"}
    assert secret(capsys, "proxy", "--address", address)["stringData"] == {"address": address}
    assert "key address is not a URL" in refused(
        capsys, "secret", "proxy", "hook", "--address=proxy", "--export"
    )


def test_secrets_of_files_are_read_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN KEY-----\n")
    flags = ("--app-id=1", f"--app-private-key={key}")
    app = secret(capsys, "githubapp", *flags, "--app-installation-id=2")["stringData"]
    assert app == {"githubAppID": "1", "githubAppInstallationID": "2", "githubAppPrivateKey": key.read_text()}
    owner = secret(capsys, "githubapp", *flags, "--app-installation-owner=us")["stringData"]
    assert owner["githubAppInstallationOwner"] == "us"
    authority = Authority(tmp_path)
    files = dict(
        zip(("tls.crt", "tls.key", "ca.crt"), (*authority.issue("weir"), authority.pem), strict=True)
    )
    for name, pem in files.items():
        (tmp_path / name).write_bytes(pem)
    named = [f"--{name.replace('.', '-')}-file={tmp_path / name}" for name in files]
    tls = secret(capsys, "tls", *named)["stringData"]
    assert tls == {name: pem.decode() for name, pem in files.items()}
    assert "found none of its keys" in refused(capsys, "secret", "tls", "hook", "--export")
    assert "a readable text file" in refused(
        capsys, "secret", "tls", "hook", "--ca-crt-file=/nowhere", "--export"
    )
    assert "certSecretRef" in refused(capsys, "secret", "tls", "hook", f"--tls-crt-file={key}", "--export")


@pytest.mark.parametrize("kind", ["oci --url=a -u b -p hush", "proxy --address=http://a"])
def test_no_secret_is_stored(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = refused(capsys, "secret", *kind.split()[:1], "hook", *kind.split()[1:], "--stack", "x")
    assert "pass --export" in text
    assert "hush" not in text
