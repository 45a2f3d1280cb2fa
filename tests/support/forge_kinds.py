"""What GitHub, GitLab and Gitea answer, as far as pull requests and labels go.

GitHub: https://docs.github.com/en/rest/pulls/pulls and /issues/labels. GitLab: https://docs.gitlab.com/api/merge_requests/
Gitea: https://docs.gitea.com/api/; its statuses and texts are those of a real 1.26.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from tests.support.forge import (
    NO_NEW_LABELS,
    READ_ONLY,
    TOKEN,
    Answerer,
    Asked,
    Forge,
    Pull,
    Repository,
    Said,
)
from weir.spec.image_automation import ForgeKind

_LIMIT: Final = {"github": 65_536, "gitlab": 1_048_576}


def _token(asked: Asked, *schemes: str) -> str:
    scheme, _, token = asked.headers.get("authorization", "").partition(" ")
    known = scheme in schemes and token in (TOKEN, READ_ONLY, NO_NEW_LABELS)
    return token if known else ""


# GitHub


def _github(forge: Forge, asked: Asked) -> Said:
    forge.expect(asked.headers.get("user-agent"), "no user agent")
    forge.expect(asked.headers.get("accept") == "application/vnd.github+json", "another accept")
    forge.expect(asked.headers.get("x-github-api-version") == "2022-11-28", "another version")
    token = _token(asked, "Bearer")
    if not token:
        return Said(401, {"message": "Bad credentials", "status": "401"})
    match asked.path:
        case ("api", "v3", "repos", owner, name, *rest) if f"{owner}/{name}" in forge.repositories:
            repository = forge.repositories[f"{owner}/{name}"]
        case _:
            return Said(404, {"message": "Not Found", "status": "404"})
    if asked.method != "GET" and token == READ_ONLY:
        return Said(403, {"message": "Resource not accessible by personal access token", "status": "403"})
    return _github_route(forge, asked, repository, rest)


def _github_route(forge: Forge, asked: Asked, repository: Repository, rest: list[str]) -> Said:
    match asked.method, *rest:
        case "GET", "pulls":
            return _github_list(forge, asked, repository)
        case "POST", "pulls":
            return _github_create(forge, asked, repository)
        case "PATCH", "pulls", number:
            forge.only(asked.body, "title", "body", "state", "base", "maintainer_can_modify")
            pull = forge.updating(repository, number)
            pull.title, pull.body = asked.body["title"], asked.body["body"]
            return Said(200, _github_row(forge, repository, pull))
        case "POST", "issues", number, "labels":
            return _github_label(forge, asked, repository, repository.pulls[int(number) - 1])
    forge.misuse.append(f"{asked.method} {asked.path}")
    return Said(404, {"message": "Not Found"})


def _github_list(forge: Forge, asked: Asked, repository: Repository) -> Said:
    forge.only(asked.query, "state", "head", "base", "sort", "direction", "per_page", "page")
    owner, _, head = asked.query["head"].partition(":")
    forge.expect(owner == repository.path.partition("/")[0] and head, "head is not owner:branch")
    found = [
        _github_row(forge, repository, one)
        for one in repository.pulls
        if one.state == asked.query["state"] and (one.head, one.base) == (head, asked.query["base"])
    ]
    rows, number, count = forge.rows(asked, found, "per_page")
    link = {"Link": f'<{forge.api}/next>; rel="next"'} if number < count else {}
    return Said(200, rows, link)


def _github_create(forge: Forge, asked: Asked, repository: Repository) -> Said:
    forge.only(asked.body, "title", "head", "base", "body", "draft", "maintainer_can_modify")
    forge.creating(repository)
    head, base = asked.body["head"], asked.body["base"]
    owner = repository.path.partition("/")[0]
    if head not in repository.branches or base not in repository.branches:
        wrong = "base" if head in repository.branches else "head"
        return _invalid({"resource": "PullRequest", "field": wrong, "code": "invalid"})
    if repository.open(head, base):
        return _invalid(_custom("PullRequest", f"A pull request already exists for {owner}:{head}."))
    if head.endswith("-empty"):
        return _invalid(_custom("PullRequest", f"No commits between {base} and {head}"))
    if len(asked.body["body"]) > _LIMIT["github"]:
        return _invalid(_custom("Issue", "body is too long (maximum is 65536 characters)"))
    pull = repository.add(head, base, asked.body["title"], asked.body["body"])
    return Said(201, _github_row(forge, repository, pull))


def _github_label(forge: Forge, asked: Asked, repository: Repository, pull: Pull) -> Said:
    forge.only(asked.body, "labels")
    for name in asked.body["labels"]:
        known = next((one for one in repository.labels if one.lower() == name.lower()), "")
        if not known and _token(asked, "Bearer") == NO_NEW_LABELS:
            return Said(403, {"message": "Resource not accessible by personal access token"})
        repository.labels.setdefault(known or name, len(repository.labels) + 1)
        if (known or name) not in pull.labels:
            pull.labels.append(known or name)
    return Said(200, [{"id": repository.labels[name], "name": name} for name in pull.labels])


def _invalid(error: Mapping[str, str]) -> Said:
    return Said(422, {"message": "Validation Failed", "errors": [error], "status": "422"})


def _custom(resource: str, message: str) -> dict[str, str]:
    return {"resource": resource, "code": "custom", "message": message}


def _github_row(forge: Forge, repository: Repository, pull: Pull) -> dict[str, Any]:
    return {
        "id": 90_000 + pull.number,
        "number": pull.number,
        "html_url": f"{forge.root}/{quote(repository.path)}/pull/{pull.number}",
        "state": pull.state,
        "title": pull.title,
        "body": pull.body or None,
        "labels": [{"name": name} for name in pull.labels],
        "head": {"ref": pull.head, "repo": {"id": pull.source} if pull.source > 0 else None},
        "base": {"ref": pull.base, "repo": {"id": repository.id}},
    }


# GitLab


def _gitlab(forge: Forge, asked: Asked) -> Said:
    token = _token(asked, "Bearer")
    if not token:
        return Said(401, {"message": "401 Unauthorized"})
    match asked.path:
        case ("api", "v4", "projects", path, "merge_requests", *rest) if path in forge.repositories:
            repository = forge.repositories[path]
        case _:
            return Said(404, {"message": "404 Project Not Found"})
    if asked.method != "GET" and token == READ_ONLY:
        described = "The request requires higher privileges than provided by the access token."
        return Said(403, {"error": "insufficient_scope", "error_description": described, "scope": "api"})
    return _gitlab_route(forge, asked, repository, rest)


def _gitlab_route(forge: Forge, asked: Asked, repository: Repository, rest: list[str]) -> Said:
    match asked.method, *rest:
        case ("GET",):
            return _gitlab_list(forge, asked, repository)
        case ("POST",):
            return _gitlab_create(forge, asked, repository)
        case "PUT", number:
            return _gitlab_update(forge, asked, repository, forge.updating(repository, number))
    forge.misuse.append(f"{asked.method} {asked.path}")
    return Said(404, {"error": "404 Not Found"})


def _gitlab_list(forge: Forge, asked: Asked, repository: Repository) -> Said:
    forge.only(asked.query, "state", "source_branch", "target_branch", "per_page", "page")
    forge.expect(asked.query["state"] in ("opened", "closed", "locked", "merged", "all"), "another state")
    wanted = (asked.query["source_branch"], asked.query["target_branch"])
    found = [
        _gitlab_row(forge, repository, one)
        for one in repository.pulls
        if one.state == "open" and (one.head, one.base) == wanted
    ]
    rows, number, count = forge.rows(asked, found, "per_page")
    return Said(200, rows, {"X-Next-Page": str(number + 1) if number < count else ""})


def _gitlab_create(forge: Forge, asked: Asked, repository: Repository) -> Said:
    forge.only(asked.body, "source_branch", "target_branch", "title", "description", "labels")
    forge.creating(repository)
    head, base = asked.body["source_branch"], asked.body["target_branch"]
    for branch in (head, base):
        if branch not in repository.branches:
            return Said(400, {"message": {"base": [f'Branch "{branch}" does not exist']}})
    if found := repository.open(head, base):
        text = f"Another open merge request already exists for this source branch: !{found[0].number}"
        return Said(409, {"message": [text]})
    if len(asked.body["description"]) > _LIMIT["gitlab"]:
        text = "is too long (maximum is 1048576 characters)"
        return Said(400, {"message": {"description": [text]}})
    pull = repository.add(head, base, asked.body["title"], asked.body["description"])
    _gitlab_label(repository, pull, asked.body.get("labels", ""))
    return Said(201, _gitlab_row(forge, repository, pull))


def _gitlab_update(forge: Forge, asked: Asked, repository: Repository, pull: Pull) -> Said:
    forge.only(asked.body, "title", "description", "add_labels")
    pull.title = asked.body.get("title", pull.title)
    pull.body = asked.body.get("description", pull.body)
    _gitlab_label(repository, pull, asked.body.get("add_labels", ""))
    return Said(200, _gitlab_row(forge, repository, pull))


def _gitlab_label(repository: Repository, pull: Pull, names: str) -> None:
    for name in filter(None, names.split(",")):
        repository.labels.setdefault(name, len(repository.labels) + 1)
        if name not in pull.labels:
            pull.labels.append(name)


def _gitlab_row(forge: Forge, repository: Repository, pull: Pull) -> dict[str, Any]:
    return {
        "id": 90_000 + pull.number,
        "iid": pull.number,
        "web_url": f"{forge.root}/{quote(repository.path)}/-/merge_requests/{pull.number}",
        "state": {"open": "opened"}.get(pull.state, pull.state),
        "title": pull.title,
        "description": pull.body,
        "labels": list(pull.labels),
        "source_branch": pull.head,
        "target_branch": pull.base,
        "source_project_id": pull.source,
        "target_project_id": repository.id,
    }


# Gitea


def _gitea(forge: Forge, asked: Asked) -> Said:
    token = _token(asked, "token", "Bearer")
    if not token:
        return _gitea_error(forge, 401, "invalid username, password or token")
    match asked.path:
        case ("api", "v1", "repos", owner, name, *rest) if f"{owner}/{name}" in forge.repositories:
            repository = forge.repositories[f"{owner}/{name}"]
        case _:
            return _gitea_error(forge, 404, "not found")
    if asked.method != "GET" and (token == READ_ONLY or (token == NO_NEW_LABELS and rest == ["labels"])):
        text = "token does not have at least one of required scope(s), required=[write:repository]"
        return _gitea_error(forge, 403, text)
    return _gitea_route(forge, asked, repository, rest)


def _gitea_route(forge: Forge, asked: Asked, repository: Repository, rest: list[str]) -> Said:
    match asked.method, *rest:
        case "GET", "pulls":
            return _gitea_list(forge, asked, repository)
        case "POST", "pulls":
            return _gitea_create(forge, asked, repository)
        case "PATCH", "pulls", number:
            forge.only(asked.body, "title", "body")
            pull = forge.updating(repository, number)
            pull.title, pull.body = asked.body["title"], asked.body["body"]
            return Said(201, _gitea_row(forge, repository, pull))
        case "POST", "labels":
            return _gitea_new_label(forge, asked, repository)
        case "POST", "issues", number, "labels":
            return _gitea_label(forge, asked, repository, repository.pulls[int(number) - 1])
    forge.misuse.append(f"{asked.method} {asked.path}")
    return _gitea_error(forge, 404, "not found")


def _gitea_list(forge: Forge, asked: Asked, repository: Repository) -> Said:
    forge.only(asked.query, "state", "base_branch", "limit", "page", "sort")
    found = [
        _gitea_row(forge, repository, one)
        for one in reversed(repository.pulls)
        if one.state == asked.query["state"] and one.base == asked.query["base_branch"]
    ]
    rows, _, _ = forge.rows(asked, found, "limit")
    return Said(200, rows, {"X-Total-Count": str(len(found))})


def _gitea_create(forge: Forge, asked: Asked, repository: Repository) -> Said:
    forge.only(asked.body, "title", "head", "base", "body", "labels")
    forge.creating(repository)
    head, base = asked.body["head"], asked.body["base"]
    if head not in repository.branches or base not in repository.branches:
        return _gitea_error(forge, 404, "not found")
    if found := repository.open(head, base):
        return _gitea_error(
            forge, 409, f"pull request already exists for these targets [id: 7, issue_id: {found[0].number}]"
        )
    pull = repository.add(head, base, asked.body["title"], asked.body["body"])
    return Said(201, _gitea_row(forge, repository, pull))


def _gitea_new_label(forge: Forge, asked: Asked, repository: Repository) -> Said:
    forge.only(asked.body, "name", "color", "description", "exclusive", "is_archived")
    if "color" not in asked.body:
        return _gitea_error(forge, 422, "[Color]: Required")
    repository.labels[asked.body["name"]] = len(repository.labels) + 1
    return Said(201, {"id": len(repository.labels), "name": asked.body["name"]})


def _gitea_label(forge: Forge, asked: Asked, repository: Repository, pull: Pull) -> Said:
    """Names that are unknown are passed over in silence, as the real one does."""
    forge.only(asked.body, "labels")
    known = {**repository.organisation, **repository.labels}
    pull.labels += [name for name in asked.body["labels"] if name in known and name not in pull.labels]
    return Said(200, [{"id": known.get(name, 0), "name": name} for name in pull.labels])


def _gitea_error(forge: Forge, status: int, message: str) -> Said:
    return Said(status, {"message": message, "url": f"{forge.root}/api/swagger"})


def _gitea_row(forge: Forge, repository: Repository, pull: Pull) -> dict[str, Any]:
    return {
        "id": 90_000 + pull.number,
        "number": pull.number,
        "html_url": f"{forge.root}/{quote(repository.path)}/pulls/{pull.number}",
        "state": pull.state,
        "title": pull.title,
        "body": pull.body,
        "labels": [{"id": 1, "name": name} for name in pull.labels],
        "head": {"ref": pull.head, "repo_id": pull.source},
        "base": {"ref": pull.base, "repo_id": repository.id},
    }


ANSWERERS: Final[Mapping[ForgeKind, Answerer]] = {"github": _github, "gitlab": _gitlab, "gitea": _gitea}
