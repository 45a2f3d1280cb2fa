"""Flux's documents as specs: defaults, every refusal with file, field, found, expected."""

from __future__ import annotations

from typing import Any

import pytest

from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.git_repository import parse_git_repository
from weir.spec.kustomization import parse_kustomization
from weir.spec.stack import parse_stack


def repository(**spec: Any) -> Document:
    """A GitRepository document with these fields."""
    return Document(
        "f.yaml",
        0,
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": "fleet", "namespace": "apps"},
            "spec": {"interval": "1m", "url": "https://git.example.com/fleet.git", **spec},
        },
    )


def unit(**spec: Any) -> Document:
    """A Kustomization document with these fields."""
    source = {"kind": "GitRepository", "name": "fleet"}
    return Document(
        "f.yaml",
        0,
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": "web", "namespace": "apps"},
            "spec": {"interval": "10m", "prune": True, "sourceRef": source, **spec},
        },
    )


def test_a_repository_without_ref_follows_master_as_flux_does() -> None:
    spec = parse_git_repository(repository())
    assert (spec.ref.branch, spec.timeout, spec.provider) == ("master", 60.0, "generic")


def test_a_unit_has_flux_defaults() -> None:
    spec = parse_kustomization(unit())
    assert (spec.retry_interval, spec.timeout, spec.wait, spec.deletion_policy) == (
        600.0,
        570.0,
        False,
        "MirrorPrune",
    )
    assert str(spec.source) == "GitRepository/apps/fleet"


@pytest.mark.parametrize(("timeout", "seconds"), [("5s", 30.0), ("2m", 120.0)])
def test_short_timeouts_are_raised_to_30_seconds(timeout: str, seconds: float) -> None:
    assert parse_kustomization(unit(timeout=timeout)).timeout == seconds


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("url", "git@git.example.com:fleet.git", "user@host:path is not one"),
        ("url", "git://git.example.com/fleet.git", "an http://, https:// or ssh:// URL"),
        ("url", "ext::sh -c touch% /tmp/x", "an http://, https:// or ssh:// URL"),
        ("url", "--upload-pack=touch x", "an http://, https:// or ssh:// URL"),
        ("interval", "5x", "a duration such as"),
        ("interval", 60, "a duration such as"),
        ("ref", {"branch": "--upload-pack=x"}, "a Git reference name"),
        ("ref", {"branch": "a..b"}, "a Git reference name"),
        ("ref", {"commit": "abc"}, "a full commit hash"),
        ("sparseCheckout", ["../x"], "a path inside the repository"),
        ("include", [{"repository": {"name": "a"}, "toPath": "../../etc"}], "a path inside the repository"),
        ("verify", {"mode": "Tag", "secretRef": {"name": "keys"}}, "HEAD when no tag is followed"),
        ("suspend", "true", "true or false"),
        ("secretRef", {"name": "Not_A_Name"}, "a name of lower-case letters"),
    ],
)
def test_a_bad_repository_field_names_file_field_and_expectation(
    field: str, value: Any, expected: str
) -> None:
    with pytest.raises(SpecError) as caught:
        parse_git_repository(repository(**{field: value}))
    message = str(caught.value)
    assert message.startswith(f"f.yaml: GitRepository/apps/fleet: spec.{field}")
    assert expected in message


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("path", "apps\\web", "a folder inside the source"),
        ("prune", "yes", "true or false"),
        ("sourceRef", {"kind": "GitRepo", "name": "x"}, "GitRepository or OCIRepository"),
        ("deletionPolicy", "Keep", "MirrorPrune or Delete"),
        ("components", ["https://example.com/x"], "relative paths inside the source"),
        ("postBuild", {"substitute": {"replicas": 3}}, "a text (write it in quotes)"),
        ("ignore", [{"paths": ["spec.replicas"]}], "JSON pointers"),
        (
            "kubeConfig",
            {"configMapRef": {"name": "x"}},
            "credentials from a cloud provider are not supported",
        ),
        ("images", [{"newTag": "1"}], "a text"),
        ("waits", True, "an unknown field"),
    ],
)
def test_a_bad_unit_field_names_file_field_and_expectation(field: str, value: Any, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_kustomization(unit(**{field: value}))
    message = str(caught.value)
    assert message.startswith(f"f.yaml: Kustomization/apps/web: spec.{field}")
    assert expected in message


@pytest.mark.parametrize(
    ("written", "folder"),
    [
        ("", ""),
        (".", ""),
        ("./", ""),
        ("/", ""),
        ("/apps", "apps"),
        ("//apps//web/", "apps/web"),
        ("./apps/./web", "apps/web"),
        ("apps/../infra/", "infra"),
        ("..", ""),
        ("../../apps/../web", "web"),
        ("/../apps", "apps"),
        ("...", "..."),
    ],
)
def test_a_path_is_joined_to_the_root_of_its_source_and_never_leaves_it(written: str, folder: str) -> None:
    assert parse_kustomization(unit(path=written)).path == folder


def test_prune_must_be_said() -> None:
    document = unit()
    del document.data["spec"]["prune"]
    with pytest.raises(SpecError, match=r"spec\.prune: found nothing, expected true or false"):
        parse_kustomization(document)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"objects": "x", "clutser": {}}, "weir.clutser"),
        ({}, "exactly one of weir:objects and weir:source"),
        ({"objects": "x", "source": {"url": "https://h/r"}}, "exactly one of weir:objects and weir:source"),
        ({"objects": "x", "cluster": {"kubeconfg": "y"}}, "weir.cluster.kubeconfg"),
        ({"objects": "x", "options": {"allowEmpty": "yes"}}, "weir.options.allowEmpty"),
        ({"objects": "x", "cluster": {"serviceAccounts": ["deployer"]}}, "namespace/name"),
    ],
)
def test_a_bad_stack_setting_is_named(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_stack("test", values, "Pulumi.test.yaml")
    assert str(caught.value).startswith("Pulumi.test.yaml: ")
    assert expected in str(caught.value)
