"""Names of images: what they mean, when they mean the same, and what is no name."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.spec.errors import SpecError
from weir.spec.image_name import is_sha256, is_tag, parse_image_name, registry_name


@pytest.mark.parametrize(
    ("text", "canonical", "host"),
    [
        ("alpine", "docker.io/library/alpine", "registry-1.docker.io"),
        ("localhost", "docker.io/library/localhost", "registry-1.docker.io"),
        ("team/app", "docker.io/team/app", "registry-1.docker.io"),
        ("docker.io/alpine", "docker.io/library/alpine", "registry-1.docker.io"),
        ("index.docker.io/team/app", "docker.io/team/app", "registry-1.docker.io"),
        ("registry-1.docker.io/alpine", "docker.io/library/alpine", "registry-1.docker.io"),
        ("Docker.IO/alpine", "docker.io/library/alpine", "registry-1.docker.io"),
        ("ghcr.io/team/app", "ghcr.io/team/app", "ghcr.io"),
        ("GHCR.io/team/app", "ghcr.io/team/app", "ghcr.io"),
        ("Localhost/app", "localhost/app", "localhost"),
        ("localhost/app", "localhost/app", "localhost"),
        ("registry:5000/app", "registry:5000/app", "registry:5000"),
        ("[::1]:5000/app", "[::1]:5000/app", "[::1]:5000"),
        ("ghcr.io/a/b__c/d---e.f_g", "ghcr.io/a/b__c/d---e.f_g", "ghcr.io"),
    ],
)
def test_names_are_read_as_docker_does(text: str, canonical: str, host: str) -> None:
    image = parse_image_name(text)
    assert (image.canonical, image.host) == (canonical, host)


@given(st.text("aAlocalhst09.:/-_[]@", max_size=20))
def test_the_full_name_of_an_image_means_the_same(text: str) -> None:
    with suppress(SpecError):
        image = parse_image_name(text)
        assert parse_image_name(image.canonical) == image
        assert parse_image_name(image.canonical.replace(image.registry, image.registry.upper(), 1)) == image


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://ghcr.io/a", "without scheme, tag and digest"),
        ("ghcr.io/a:1.0", "without scheme, tag and digest"),
        ("alpine:3", "without scheme, tag and digest"),
        ("ghcr.io/a@sha256:0", "without scheme, tag and digest"),
        ("ghcr.io/A", "in lower case"),
        ("Registry/app", "in lower case"),
        ("", "in lower case"),
        ("ghcr.io/../a", "in lower case"),
        ("ghcr.io/", "in lower case"),
        ("a//b", "in lower case"),
        ("a/b_-c", "in lower case"),
        ("ghcr.io/a?x=1", "in lower case"),
        ("ghcr.io/a b", "in lower case"),
        ("ghcr.io:99999/a", "in lower case"),
        ("ghcr.io:0/a", "in lower case"),
        ("user@ghcr.io/a", "in lower case"),
        ("-ghcr.io/a", "in lower case"),
        ("ghcr.io/" + "a" * 256, "at most 255 characters"),
    ],
)
def test_what_is_no_name_is_refused(text: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_image_name(text, "f.yaml: spec.image")
    assert str(caught.value).startswith(f"f.yaml: spec.image: found {text[:20]!r}"[:-1])
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("docker.io", "docker.io"),
        ("Index.Docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("hub.docker.io", "hub.docker.io"),
        ("GHCR.io:443", "ghcr.io:443"),
    ],
)
def test_a_registry_has_one_name(host: str, name: str) -> None:
    assert registry_name(host) == name


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ("1.0", True),
        ("_x", True),
        ("a" * 128, True),
        ("a" * 129, False),
        (".x", False),
        ("", False),
        (1, False),
    ],
)
def test_what_is_a_tag(value: object, want: bool) -> None:
    assert is_tag(value) is want


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ("sha256:" + "0a" * 32, True),
        ("sha256:" + "0A" * 32, False),
        ("sha512:" + "0a" * 64, False),
        ("sha256:" + "0a" * 33, False),
        (None, False),
    ],
)
def test_what_is_a_digest_of_a_registry(value: object, want: bool) -> None:
    assert is_sha256(value) is want
