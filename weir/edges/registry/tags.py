"""All tags of a repository, page by page, each page asked for only when it changed.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags: `n` is the wish for a page's size, a
Link header leads to the next page, its absence ends the list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from weir.edges.registry.client import Client, Question
from weir.edges.registry.errors import BadAnswerError
from weir.spec.image_name import ImageName, is_tag

PAGE_SIZE: Final = 1000
MAX_PAGES: Final = 500
MAX_TAGS: Final = 200_000

_LINK: Final = re.compile(r"<([^<>\s]{1,2000})>((?:\s*;\s*[^,;]+)*)", re.ASCII)
_NEXT: Final = re.compile(r";\s*rel\s*=\s*\"?next\"?\s*(?:;|$)", re.IGNORECASE | re.ASCII)
_ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{1,256}"', re.ASCII)


@dataclass(frozen=True, slots=True)
class Page:
    """One page as the registry gave it."""

    query: str
    etag: str
    """Empty when the registry gave none."""
    tags: tuple[str, ...]
    following: str
    """The query of the next page, empty on the last."""


def list_pages(client: Client, image: ImageName, known: Sequence[Page] = ()) -> tuple[Page, ...]:
    """Every page of the tag list. A page in `known` that the registry says is unchanged costs no body.

    Raises:
        RegistryError: no whole list could be read; a part of one is never returned.
    """
    deadline, before = client.deadline(), {page.query: page for page in known}
    pages: list[Page] = []
    query, count = f"n={PAGE_SIZE}", 0
    queries, contents = set[str](), set[tuple[str, ...]]()
    while query:
        page = _read_page(client, image, query, before.get(query), deadline)
        if query in queries or (page.tags and page.tags in contents):
            raise _endless(image, "the same page again")
        queries.add(query)
        contents.add(page.tags)
        pages.append(page)
        count += len(page.tags)
        if count > MAX_TAGS or len(pages) >= MAX_PAGES:
            raise _endless(image, f"more than {MAX_TAGS} tags or {MAX_PAGES} pages")
        query = page.following
    return tuple(pages)


def join(pages: Sequence[Page]) -> tuple[str, ...]:
    """The tags of all pages in the registry's order, each once. What is no tag by the specification is left out."""
    return tuple(dict.fromkeys(tag for page in pages for tag in page.tags if is_tag(tag)))


def _read_page(client: Client, image: ImageName, query: str, known: Page | None, deadline: float) -> Page:
    question = Question(
        image=image,
        path=f"tags/list?{query}",
        accept="application/json",
        etag=known.etag if known else "",
    )
    answer = client.ask(question, deadline)
    if known and answer.status == HTTPStatus.NOT_MODIFIED:
        return known
    etag = answer.headers.get("etag", "")
    return Page(
        query=query,
        etag=etag if _ETAG.fullmatch(etag) else "",
        tags=_read_tags(image, answer.body),
        following=_following(image, answer.headers),
    )


def _read_tags(image: ImageName, body: bytes) -> tuple[str, ...]:
    try:
        document: Any = orjson.loads(body)
    except ValueError:
        document = None
    # `null` is how registries written in Go say "none"
    tags = (document.get("tags", False) or []) if isinstance(document, dict) and "tags" in document else None
    if not isinstance(tags, list):
        raise BadAnswerError(
            f"{image.canonical}: the registry's answer is no tag list",
            hint="check that spec.image names an OCI registry",
        )
    return tuple(tag for tag in tags if isinstance(tag, str))


def _following(image: ImageName, headers: Mapping[str, str]) -> str:
    """The query of the next page.

    Only the query of the link is used: registries behind a proxy name schemes, hosts and paths of their own there,
    and no link may lead our credentials elsewhere.
    """
    header = headers.get("link", "")
    for target, parameters in _LINK.findall(header):
        if _NEXT.search(parameters):
            query = str(urlsplit(target).query)
            if not query or not query.isprintable():
                raise _endless(image, "a link without a query")
            return query
    if "next" in header:
        raise _endless(image, "a link that cannot be read")
    return ""


def _endless(image: ImageName, what: str) -> BadAnswerError:
    return BadAnswerError(
        f"{image.canonical}: the tag list does not end: found {what}", hint="tell who runs the registry"
    )
