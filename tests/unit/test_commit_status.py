"""The status of a commit on each kind of forge."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.events import COMMIT, event
from tests.support.notices import provider
from weir.notify.comment import CHANGE_REQUEST, comment_for
from weir.notify.commit_status import commit_of, render_status, status_name
from weir.notify.http_message import HttpMessage
from weir.notify.target import read_target
from weir.spec.errors import SpecError
from weir.spec.event import Event, Severity
from weir.spec.identity import UnitId
from weir.spec.provider import COMMENT_TYPES

TOKEN = {"token": b"t0ken-value"}
FAILED = event("no", severity=Severity.ERROR, reason="HealthCheckFailed")

REPOSITORIES = {
    "github": "https://github.com/team/app.git",
    "gitlab": "https://gitlab.example/group/sub/app",
    "gitea": "https://gitea.example/forge/team/app",
    "bitbucket": "https://bitbucket.org/team/app",
    "bitbucketserver": "https://bitbucket.example/scm/PRJ/app.git",
    "azuredevops": "https://dev.azure.com/org/My%20Project/_git/app",
}
URLS = {
    "github": f"https://api.github.com/repos/team/app/statuses/{COMMIT}",
    "gitlab": f"https://gitlab.example/api/v4/projects/group%2Fsub%2Fapp/statuses/{COMMIT}",
    "gitea": f"https://gitea.example/forge/api/v1/repos/team/app/statuses/{COMMIT}",
    "bitbucket": f"https://api.bitbucket.org/2.0/repositories/team/app/commit/{COMMIT}/statuses/build",
    "bitbucketserver": f"https://bitbucket.example/rest/api/latest/projects/PRJ/repos/app/commits/{COMMIT}/builds",
    "azuredevops": (
        f"https://dev.azure.com/org/My%20Project/_apis/git/repositories/app/commits/{COMMIT}/statuses"
        "?api-version=7.1"
    ),
}
STATES = {
    "github": ("success", "failure", "pending"),
    "gitlab": ("success", "failed", "running"),
    "gitea": ("success", "failure", "pending"),
    "bitbucket": ("SUCCESSFUL", "FAILED", "INPROGRESS"),
    "bitbucketserver": ("SUCCESSFUL", "FAILED", "INPROGRESS"),
    "azuredevops": ("succeeded", "error", "pending"),
}
LOGINS = {
    "github": ("Authorization", "Bearer t0ken-value"),
    "gitlab": ("PRIVATE-TOKEN", "t0ken-value"),
    "gitea": ("Authorization", "token t0ken-value"),
    "bitbucket": ("Authorization", "Bearer t0ken-value"),
    "bitbucketserver": ("Authorization", "Bearer t0ken-value"),
    "azuredevops": ("Authorization", "Basic " + base64.b64encode(b":t0ken-value").decode()),
}
KINDS = sorted(REPOSITORIES)


def status(kind: str, told: Event, **more: Any) -> HttpMessage:
    message = render_status(provider(REPOSITORIES[kind], kind, **more), TOKEN, told)
    assert message is not None
    return message


@pytest.mark.parametrize("kind", KINDS)
def test_the_commit_is_addressed_and_the_token_is_in_one_header(kind: str) -> None:
    message = status(kind, event())
    assert (message.method, message.url) == ("POST", URLS[kind])
    name, value = LOGINS[kind]
    assert message.headers[name] == value
    assert b"t0ken" not in message.body
    assert "t0ken" not in repr(message)


@pytest.mark.parametrize("kind", KINDS)
def test_severity_and_reason_give_the_state(kind: str) -> None:
    told = (event(), FAILED, event(reason="Progressing"))
    assert tuple(json.loads(status(kind, one).body)["state"] for one in told) == STATES[kind]
    assert json.loads(status(kind, FAILED).body)["description"] == "health check failed"


def test_a_project_on_gitlab_may_be_named_by_its_number() -> None:
    message = render_status(provider("https://gitlab.com/1234", "gitlab"), TOKEN, event())
    assert message is not None
    assert message.url == f"https://gitlab.com/api/v4/projects/1234/statuses/{COMMIT}"


def test_an_enterprise_server_has_its_api_below_its_own_host() -> None:
    message = render_status(provider("https://ghe.example/team/app", "github"), TOKEN, event())
    assert message is not None
    assert message.url.startswith("https://ghe.example/api/v3/repos/team/app/")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("ssh://git@github.com/team/app", "https://api.github.com/repos/team/app/statuses/"),
        ("ssh://git@ssh.github.com:443/team/app", "https://api.github.com/repos/team/app/statuses/"),
        ("git@github.com:team/app.git", "https://api.github.com/repos/team/app/statuses/"),
        ("ssh://git@ghe.example:2222/team/app.git", "https://ghe.example/api/v3/repos/team/app/statuses/"),
        ("ssh://[2001:db8::1]:22/team/app", "https://[2001:db8::1]/api/v3/repos/team/app/statuses/"),
        ("git@ghe.example:/team/app", "https://ghe.example/api/v3/repos/team/app/statuses/"),
    ],
)
def test_the_status_of_a_repository_that_git_reaches_over_ssh_is_set_over_https(
    address: str, url: str
) -> None:
    message = render_status(provider(address, "github"), TOKEN, event())
    assert message is not None
    assert message.url == url + COMMIT


@pytest.mark.parametrize("kind", COMMENT_TYPES)
def test_comments_on_a_repository_that_git_reaches_over_ssh_are_written_over_https(kind: str) -> None:
    target = read_target(provider("ssh://git@forge.example:22/team/app.git", kind), TOKEN)
    assert target.url().geturl() == "https://forge.example/team/app.git"


def test_bitbucket_takes_an_app_password_too_and_a_key_of_forty_characters() -> None:
    message = render_status(provider(REPOSITORIES["bitbucket"], "bitbucket"), {"token": b"me:pass"}, event())
    assert message is not None
    assert message.headers["Authorization"] == "Basic " + base64.b64encode(b"me:pass").decode()
    assert len(json.loads(message.body)["key"]) == 40


@pytest.mark.parametrize(
    ("revision", "commit"),
    [
        (f"main@sha1:{COMMIT}", COMMIT),
        (f"feature/a@b@sha1:{COMMIT}", COMMIT),
        (f"sha1:{COMMIT}", COMMIT),
        (f"main@sha256:{COMMIT}{COMMIT[:24]}", f"{COMMIT}{COMMIT[:24]}"),
        (f"main/{COMMIT}", COMMIT),
        ("6.5.0", ""),
        ("", ""),
        (f"main@sha1:{COMMIT[:39]}", ""),
        (f"main@sha1:{COMMIT}0", ""),
        (f"main@sha1:{COMMIT}\n", ""),
    ],
)
def test_a_revision_holds_a_commit_or_not(revision: str, commit: str) -> None:
    assert commit_of(revision) == commit


OTHER = COMMIT[::-1]


@pytest.mark.parametrize(
    ("metadata", "commit"),
    [
        ({"commit": OTHER, "originRevision": "main@sha1:no", "revision": f"main@sha1:{COMMIT}"}, OTHER),
        ({"originRevision": f"main@sha1:{OTHER}", "revision": f"main@sha1:{COMMIT}"}, OTHER),
        ({"commit": "", "revision": f"main@sha1:{COMMIT}"}, COMMIT),
        ({"commit": OTHER}, OTHER),
    ],
    ids=list,
)
def test_the_commit_is_of_the_first_metadata_that_names_one(metadata: dict[str, str], commit: str) -> None:
    assert f"/statuses/{commit}" in status("github", event(metadata=metadata)).url


def test_a_commit_that_cannot_be_read_is_not_taken_from_elsewhere() -> None:
    told = event(metadata={"commit": "main", "revision": f"main@sha1:{COMMIT}"})
    assert render_status(provider(REPOSITORIES["github"], "github"), TOKEN, told) is None


def test_bitbucket_and_azure_devops_have_the_key_the_name_and_the_genre_of_flux() -> None:
    cloud = json.loads(status("bitbucket", FAILED).body)
    name = status_name(provider(REPOSITORIES["bitbucket"], "bitbucket"), FAILED)
    assert cloud["key"] == hashlib.sha1(name.encode()).hexdigest()
    assert cloud["name"] == "kustomization/apps"
    server = json.loads(status("bitbucketserver", FAILED).body)
    assert (server["key"], server["name"]) == (cloud["key"], "kustomization/apps [health check failed]")
    assert json.loads(status("azuredevops", FAILED).body)["context"]["genre"] == "fluxcd"
    told = event(metadata={**FAILED.metadata, "summary": "Prod\nEU"})
    assert json.loads(status("azuredevops", told).body)["context"]["genre"] == "fluxcd:Prod EU"


def test_without_a_commit_there_is_no_status() -> None:
    assert render_status(provider(REPOSITORIES["github"], "github"), TOKEN, event(metadata={})) is None


def test_the_name_differs_by_provider_and_stack_and_can_be_given() -> None:
    one, other = provider("https://x.example/a/b", "gitea"), provider("https://x.example/a/b", "gitea", "two")
    names = {status_name(one, event()), status_name(other, event()), status_name(one, event(stack="staging"))}
    assert len(names) == 3
    assert all(name.startswith("kustomization/apps/") and len(name) == 27 for name in names)
    message = render_status(one, TOKEN, event(), lambda: "my\nown")
    assert message is not None
    assert json.loads(message.body)["context"] == "my own"


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("github", "https://github.com/only-one"),
        ("gitea", "ftp://gitea.example/a/b"),
        ("gitlab", "https://gitlab.example/a/.."),
        ("gitlab", "https://gitlab.example/app"),
        ("bitbucketserver", "https://bitbucket.example/projects/PRJ/app"),
        ("azuredevops", "https://dev.azure.com/org/project/app"),
        ("github", ""),
    ],
)
def test_an_address_that_is_no_repository_is_an_error_that_names_the_field(kind: str, address: str) -> None:
    with pytest.raises(SpecError, match=r"spec\.address"):
        render_status(provider(address, kind), TOKEN, event())


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_token_is_an_error(kind: str) -> None:
    with pytest.raises(SpecError, match=r"spec\.secretRef"):
        render_status(provider(REPOSITORIES[kind], kind), {}, event())


TEXT = st.text(max_size=300)


@pytest.mark.property
@given(kind=st.sampled_from(KINDS), name=TEXT, reason=TEXT, unit=TEXT, stack=TEXT)
def test_any_event_gives_a_bounded_status_in_json(
    kind: str, name: str, reason: str, unit: str, stack: str
) -> None:
    told = event(name, reason=reason, stack=stack, unit=UnitId("Kustomization", "x", unit))
    message = render_status(provider(REPOSITORIES[kind], kind), TOKEN, told, lambda: name)
    assert message is not None
    assert isinstance(json.loads(message.body), dict)
    assert len(message.body) < 4000
    assert "\n" not in message.url
    assert COMMIT in message.url


def about_pull(number: str = "12", **more: Any) -> Event:
    return event(metadata={CHANGE_REQUEST: number}, **more)


def test_a_comment_belongs_to_the_pull_request_in_the_metadata() -> None:
    wanted = comment_for(provider("https://x.example/a/b", "giteapullrequestcomment"), about_pull())
    assert wanted is not None
    assert wanted.number == "12"
    assert wanted.body.startswith(f"{wanted.marker}\n")
    assert "Deployment/prod/web configured" in wanted.body


@pytest.mark.parametrize("number", ["", "0", "-1", "1a", "../2", "٣", "1" * 19])
def test_what_is_no_number_is_no_pull_request(number: str) -> None:
    assert (
        comment_for(provider("https://x.example/a/b", "giteapullrequestcomment"), about_pull(number)) is None
    )


def test_each_unit_and_provider_has_one_comment() -> None:
    one = provider("https://x.example/a/b", "giteapullrequestcomment")
    two = provider("https://x.example/a/b", "giteapullrequestcomment", "two")
    found = [
        comment_for(one, about_pull()),
        comment_for(one, about_pull(at="2026-11-21T11:00:00Z", reason="X")),
        comment_for(two, about_pull()),
        comment_for(one, about_pull(unit=UnitId("Kustomization", "x", "y"))),
        comment_for(one, about_pull(stack="other")),
    ]
    markers = [item.marker for item in found if item]
    assert markers[0] == markers[1]
    assert len(set(markers)) == 4


@pytest.mark.property
@given(text=st.text(max_size=3000), reason=TEXT, key=TEXT, value=TEXT)
def test_a_comment_holds_no_markup_of_an_event(text: str, reason: str, key: str, value: str) -> None:
    told = event(
        f"{text}```\n# <img src=x> @team\n```", reason=reason, metadata={CHANGE_REQUEST: "1", key: value}
    )
    told = event(told.message, reason=reason, metadata={**told.metadata, CHANGE_REQUEST: "1"})
    wanted = comment_for(provider("https://x.example/a/b", "githubpullrequestcomment"), told)
    assert wanted is not None
    assert len(wanted.body) < 60_000
    inside = wanted.body.split("```")
    # one block of code, and nothing of the message outside of it
    assert len(inside) == 3
    assert "@team" not in inside[0] + inside[2]
