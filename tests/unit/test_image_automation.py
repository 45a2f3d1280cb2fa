"""ImageUpdateAutomation as a spec: defaults, every field, every refusal with file, field, found, expected."""

from __future__ import annotations

from typing import Any

import pytest

from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.git_repository import GitRef
from weir.spec.image_automation import (
    Author,
    PullRequestSpec,
    Push,
    SigningKey,
    check_branches,
    parse_image_automation,
)
from weir.spec.label_selector import LabelSelector

V1 = "image.toolkit.fluxcd.io/v1"
PULL_REQUEST = {"weir.dev/pull-request": "github", "weir.dev/pull-request-secret": "forge"}


def automation(
    annotations: dict[str, str] | None = None,
    *,
    version: str = V1,
    commit: dict[str, Any] | None = None,
    git: dict[str, Any] | None = None,
    **spec: Any,
) -> Document:
    base: dict[str, Any] = {
        "sourceRef": {"name": "fleet"},
        "interval": "30m",
        "git": {"commit": {"author": {"email": "bot@acme.example"}, **(commit or {})}, **(git or {})},
    }
    metadata = {"name": "web", "namespace": "apps", "annotations": annotations or {}}
    data = {"apiVersion": version, "kind": "ImageUpdateAutomation", "metadata": metadata}
    return Document("f.yaml", 0, {**data, "spec": {**base, **spec}})


def refusal(document: Document) -> str:
    with pytest.raises(SpecError) as caught:
        parse_image_automation(document)
    return str(caught.value).removeprefix("f.yaml: ImageUpdateAutomation/apps/web: ")


@pytest.mark.parametrize("version", [V1, "image.toolkit.fluxcd.io/v1beta2"])
def test_an_automation_has_flux_defaults(version: str) -> None:
    spec = parse_image_automation(automation(version=version))
    assert (str(spec.source), spec.interval, spec.suspend) == ("GitRepository/apps/fleet", 1800.0, False)
    assert spec.author == Author(email="bot@acme.example")
    assert (spec.checkout, spec.signing, spec.push, spec.pull_request) == (None, None, Push(), None)
    assert (spec.message_template, spec.message_values, spec.path, spec.workloads) == ("", {}, "", False)
    assert spec.policy_selector.matches({})
    assert spec.policy_selector.matches({"team": "a"})


def test_an_automation_with_every_field() -> None:
    spec = parse_image_automation(
        automation(
            sourceRef={
                "apiVersion": "source.toolkit.fluxcd.io/v1",
                "kind": "GitRepository",
                "name": "fleet",
                "namespace": "flux-system",
            },
            commit={
                "author": {"email": "bot@acme.example", "name": "Acme Bot"},
                "signingKey": {"type": "ssh", "secretRef": {"name": "signing"}},
                "messageTemplate": "{{ .Values.cluster }}",
                "messageTemplateValues": {"cluster": "prod"},
            },
            git={
                "checkout": {"ref": {"branch": "main"}},
                "push": {
                    "branch": "images",
                    "refspec": "refs/heads/images:refs/for/main%topic=images",
                    "options": {"merge_request.create": "", "merge_request.target": "main"},
                },
            },
            policySelector={"matchLabels": {"team": "a"}},
            update={"strategy": "Setters", "path": "./clusters//prod/"},
            suspend=True,
        )
    )
    assert str(spec.source) == "GitRepository/flux-system/fleet"
    assert spec.author == Author(name="Acme Bot", email="bot@acme.example")
    assert spec.signing == SigningKey(kind="ssh", secret="signing")
    assert (spec.message_template, spec.message_values) == ("{{ .Values.cluster }}", {"cluster": "prod"})
    assert spec.checkout == GitRef(branch="main")
    assert spec.push == Push(
        branch="images",
        refspec="refs/heads/images:refs/for/main%topic=images",
        options={"merge_request.create": "", "merge_request.target": "main"},
    )
    assert spec.policy_selector == LabelSelector({"team": "a"})
    assert (spec.path, spec.suspend) == ("clusters/prod", True)


def test_what_is_checked_out_is_read_as_the_ref_of_a_git_repository() -> None:
    def checkout(**ref: str) -> GitRef | None:
        return parse_image_automation(automation(git={"checkout": {"ref": ref}})).checkout

    assert checkout() == GitRef(branch="master")
    assert checkout(branch="dev", semver=">=1.0.0") == GitRef(branch="dev", semver=">=1.0.0")


@pytest.mark.parametrize(
    ("ref", "want"),
    [
        (GitRef(branch="main"), "main"),
        (GitRef(branch="main", tag="v1"), "main"),
        (GitRef(branch="main", name="refs/heads/a/b"), "a/b"),
        (GitRef(name="refs/tags/v1"), ""),
        (GitRef(commit="a" * 40), ""),
    ],
)
def test_the_branch_that_a_ref_stands_on(ref: GitRef, want: str) -> None:
    assert ref.head == want


def test_a_gpg_key_is_the_default() -> None:
    spec = parse_image_automation(automation(commit={"signingKey": {"secretRef": {"name": "k"}}}))
    assert spec.signing == SigningKey(kind="gpg", secret="k")


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        ({"sourceRef": None}, "spec.sourceRef: found nothing, expected a mapping"),
        ({"sourceRef": {}}, "spec.sourceRef.name: found nothing"),
        (
            {"sourceRef": {"kind": "OCIRepository", "name": "a"}},
            "spec.sourceRef.kind: found 'OCIRepository', expected GitRepository",
        ),
        (
            {"sourceRef": {"apiVersion": "v1", "name": "a"}},
            "spec.sourceRef.apiVersion: found 'v1', expected a version of source.toolkit.fluxcd.io",
        ),
        ({"interval": None}, "spec.interval: found nothing, expected a duration"),
        ({"update": {"strategy": "Regex"}}, "spec.update.strategy: found 'Regex', expected Setters"),
        ({"update": {"path": "../x"}}, "spec.update.path: found '../x', expected a path inside"),
        ({"updates": {}}, "spec.updates: found 'an unknown field'"),
        ({"suspend": "yes"}, "spec.suspend: found 'yes', expected true or false"),
        ({"policySelector": {"team": "a"}}, "spec.policySelector.team: found 'an unknown field'"),
    ],
)
def test_a_bad_field_is_named(spec: dict[str, Any], want: str) -> None:
    assert refusal(automation(**spec)).startswith(want)


def test_an_automation_says_how_to_commit() -> None:
    document = automation()
    document.data["spec"]["git"] = None
    assert refusal(document) == "spec.git: found nothing, expected a mapping"


@pytest.mark.parametrize(
    ("commit", "want"),
    [
        ({"author": {}}, "author.email: found nothing, expected a text"),
        ({"author": {"email": ""}}, "author.email: found '', expected a text"),
        ({"author": {"email": "a@b>"}}, "author.email: found 'a@b>', expected a text of one line"),
        ({"author": {"email": "a@b>\nparent 0"}}, "author.email: found 'a@b>\\nparent 0'"),
        ({"author": {"email": "a@b", "name": "A <a@b>"}}, "author.name: found 'A <a@b>'"),
        ({"author": {"email": "a@b", "login": "a"}}, "author.login: found 'an unknown field'"),
        ({"signingKey": {}}, "signingKey.secretRef: found nothing, expected a mapping"),
        ({"signingKey": {"type": "x509", "secretRef": {"name": "a"}}}, "signingKey.type: found 'x509'"),
        ({"messageTemplateValues": {"a": 1}}, "messageTemplateValues.a: found 1, expected a text"),
        ({"message": "x"}, "message: found 'an unknown field'"),
    ],
)
def test_a_bad_field_of_the_commit_is_named(commit: dict[str, Any], want: str) -> None:
    assert refusal(automation(commit=commit)).startswith(f"spec.git.commit.{want}")


@pytest.mark.parametrize(
    ("git", "want"),
    [
        ({"checkout": {}}, "checkout.ref: found nothing, expected a mapping"),
        ({"checkout": {"branch": "main", "ref": {}}}, "checkout.branch: found 'an unknown field'"),
        ({"checkout": {"ref": {"branch": "a..b"}}}, "checkout.ref.branch: found 'a..b'"),
        ({"push": {"branch": "-f"}}, "push.branch: found '-f', expected the name of a branch"),
        ({"push": {"options": {"ci.skip": True}}}, "push.options.ci.skip: found True, expected a text"),
        ({"push": {"options": {"a=b": "c"}}}, "push.options: found {'a=b': 'c'}"),
        ({"push": {"options": {"a": "b\nc"}}}, "push.options: found"),
        ({"push": {"force": True}}, "push.force: found 'an unknown field'"),
        ({"author": {}}, "author: found 'an unknown field'"),
    ],
)
def test_a_bad_field_of_git_is_named(git: dict[str, Any], want: str) -> None:
    assert refusal(automation(git=git)).startswith(f"spec.git.{want}")


@pytest.mark.parametrize(
    "refspec", ["main", "HEAD:refs/for/main", "refs/heads/main:refs/heads/auto", "main:refs/for/main%wip"]
)
def test_a_refspec_names_a_source_and_a_destination(refspec: str) -> None:
    assert parse_image_automation(automation(git={"push": {"refspec": refspec}})).push.refspec == refspec


@pytest.mark.parametrize("refspec", ["+main:x", ":x", "main:", "a:b:c", "refs/heads/*:refs/heads/*", "--all"])
def test_a_refspec_that_deletes_or_forces_or_cannot_be_read_is_refused(refspec: str) -> None:
    found = refusal(automation(git={"push": {"refspec": refspec}}))
    assert found.startswith(f"spec.git.push.refspec: found '{refspec}', expected a source and a destination")
    assert found.endswith("nothing is deleted or forced")


@pytest.mark.parametrize(
    ("requirement", "labels", "want"),
    [
        ({"operator": "In", "values": ["a", "b"]}, {"team": "b"}, True),
        ({"operator": "In", "values": ["a", "b"]}, {"team": "c"}, False),
        ({"operator": "In", "values": ["a"]}, {}, False),
        ({"operator": "NotIn", "values": ["a"]}, {"team": "c"}, True),
        ({"operator": "NotIn", "values": ["a"]}, {"team": "a"}, False),
        ({"operator": "NotIn", "values": ["a"]}, {}, True),
        ({"operator": "Exists"}, {"team": ""}, True),
        ({"operator": "Exists"}, {"other": "a"}, False),
        ({"operator": "DoesNotExist", "values": []}, {}, True),
        ({"operator": "DoesNotExist"}, {"team": "a"}, False),
    ],
)
def test_which_policies_are_selected(requirement: dict[str, Any], labels: dict[str, str], want: bool) -> None:
    selector = {"matchExpressions": [{"key": "team", **requirement}]}
    spec = parse_image_automation(automation(policySelector=selector))
    assert spec.policy_selector.matches(labels) is want


def test_a_policy_is_selected_when_it_meets_everything() -> None:
    expressions = [{"key": "team", "operator": "Exists"}, {"key": "old", "operator": "DoesNotExist"}]
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": expressions}
    selected = parse_image_automation(automation(policySelector=selector)).policy_selector
    assert selected.matches({"app": "web", "team": "a", "x": "y"})
    assert not selected.matches({"app": "api", "team": "a"})
    assert not selected.matches({"app": "web"})
    assert not selected.matches({"app": "web", "team": "a", "old": ""})


@pytest.mark.parametrize(
    ("requirement", "want"),
    [
        ({"operator": "In"}, "values: found nothing, expected one or more texts for operator In"),
        ({"operator": "NotIn", "values": []}, "values: found [], expected one or more texts"),
        (
            {"operator": "Exists", "values": ["a"]},
            "values: found ['a'], expected nothing for operator Exists",
        ),
        ({"operator": "Gt", "values": ["1"]}, "operator: found 'Gt', expected In or NotIn or Exists or"),
        ({"operator": "In", "values": [True]}, "values: found [True], expected a list of texts"),
        ({"operator": "Exists", "key": None}, "key: found nothing"),
    ],
)
def test_a_bad_requirement_is_named(requirement: dict[str, Any], want: str) -> None:
    found = refusal(automation(policySelector={"matchExpressions": [{"key": "team", **requirement}]}))
    assert found.startswith(f"spec.policySelector.matchExpressions[0].{want}")


def test_workloads_are_followed_when_asked_for() -> None:
    assert parse_image_automation(automation({"weir.dev/workloads": "true", "team": "a"})).workloads
    assert not parse_image_automation(automation({"weir.dev/workloads": "false"})).workloads


def test_a_pull_request_with_everything() -> None:
    annotations = {
        "weir.dev/pull-request": "gitlab",
        "weir.dev/pull-request-secret": "forge",
        "weir.dev/pull-request-api": "https://git.example:8443/api/v4/",
        "weir.dev/pull-request-labels": "images, bot,,images",
        "weir.dev/pull-request-title": "New images",
    }
    spec = parse_image_automation(automation(annotations, git={"push": {"branch": "images"}}))
    assert spec.pull_request == PullRequestSpec(
        forge="gitlab",
        secret="forge",
        api="https://git.example:8443/api/v4",
        labels=("images", "bot"),
        title="New images",
    )


@pytest.mark.parametrize(
    ("change", "want"),
    [
        ({"workloads": "yes"}, "workloads: found 'yes', expected true or false"),
        (
            {"pull-request": "bitbucket"},
            "pull-request: found 'bitbucket', expected github or gitlab or gitea",
        ),
        ({"pull-request-secret": "Forge"}, "pull-request-secret: found 'Forge', expected a name"),
        (
            {"pull-request-api": "http://a/api"},
            "pull-request-api: found 'http://a/api', expected an https://",
        ),
        ({"pull-request-api": "https://u:p@a/"}, "pull-request-api: found"),
        ({"pull-request-title": "a\nb"}, "pull-request-title: found 'a\\nb', expected a text of one line"),
        ({"pull-requests": "github"}, "pull-requests: found 'an unknown field'"),
    ],
)
def test_a_bad_annotation_is_named(change: dict[str, str], want: str) -> None:
    own = {**PULL_REQUEST, **{f"weir.dev/{key}": value for key, value in change.items()}}
    found = refusal(automation(own, git={"push": {"branch": "images"}}))
    assert found.startswith(f"metadata.annotations.weir.dev/{want}")


def test_a_pull_request_needs_a_token_and_its_details_need_a_pull_request() -> None:
    push = {"push": {"branch": "images"}}
    found = refusal(automation({"weir.dev/pull-request": "gitea"}, git=push))
    assert found.startswith(
        "metadata.annotations.weir.dev/pull-request-secret: found nothing, expected the name"
    )
    found = refusal(automation({"weir.dev/pull-request-labels": "a"}, git=push))
    assert "pull-request-labels: found 'a', expected nothing without the annotation" in found


@pytest.mark.parametrize(
    ("git", "found"),
    [
        ({}, "nothing"),
        ({"push": {"refspec": "main:refs/for/main"}}, "nothing"),
        ({"checkout": {"ref": {"branch": "main"}}, "push": {"branch": "main"}}, "'main'"),
        ({"checkout": {"ref": {"name": "refs/heads/main"}}, "push": {"branch": "main"}}, "'main'"),
    ],
)
def test_a_pull_request_goes_from_one_branch_to_another(git: dict[str, Any], found: str) -> None:
    message = refusal(automation(PULL_REQUEST, git=git))
    assert message.startswith(f"spec.git.push.branch: found {found}, expected a branch other than the one")
    assert parse_image_automation(automation(git=git)).pull_request is None


def test_a_pull_request_goes_to_a_branch() -> None:
    git = {"checkout": {"ref": {"tag": "v1"}}, "push": {"branch": "images"}}
    message = refusal(automation(PULL_REQUEST, git=git))
    assert message.startswith("metadata.annotations.weir.dev/pull-request: found 'github', expected nothing")


def test_the_branch_of_the_git_repository_counts_where_the_automation_names_none() -> None:
    spec = parse_image_automation(automation(PULL_REQUEST, git={"push": {"branch": "main"}}))
    check_branches(spec, GitRef(branch="release"))
    with pytest.raises(SpecError, match=r"push\.branch: found 'main'"):
        check_branches(spec, GitRef(branch="main"))
