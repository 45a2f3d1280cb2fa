"""Addresses of several stacks: two that are one are refused at the start, or one stack would never be watched."""

from __future__ import annotations

from pathlib import Path

import pytest

from weir.cli import main


def said(*flags: str, capsys: pytest.CaptureFixture[str], stacks: tuple[str, ...]) -> str:
    """What `weir watch` says where no stack has settings, which are read next."""
    chosen = [word for stack in stacks for word in ("--stack", stack)]
    assert main(["watch", *chosen, *flags]) == 1
    return capsys.readouterr().err


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_address_that_two_stacks_would_take_is_refused_and_both_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = ("--listen", "127.0.0.1:9292", "--dashboard", "127.0.0.1:9293")
    text = said(*flags, capsys=capsys, stacks=("staging", "production"))
    want = (
        "weir watch: --dashboard for stack staging: found '127.0.0.1:9293', "
        "expected an address that --listen for stack production (127.0.0.1:9293) leaves free"
    )
    assert want in text
    assert "each further stack takes the next port: let the flags' be 2 or more apart" in text


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("0.0.0.0:9292", "127.0.0.1:9293"),
        ("127.0.0.1:9293", "0.0.0.0:9292"),
        ("[::]:9292", "127.0.0.1:9293"),
        ("[::]:9292", "[::1]:9291"),
        ("localhost:9292", "127.0.0.1:9292"),
        ("[0:0::1]:9292", "[::1]:9293"),
        ("Watcher.example.com:9292", "watcher.example.com:9291"),
    ],
)
def test_other_names_of_an_address_and_wildcards_are_seen(
    first: str, second: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said("--metrics", first, "--dashboard", second, capsys=capsys, stacks=("staging", "production"))
    assert "weir watch: --dashboard for stack" in text
    assert "expected an address that --metrics for stack" in text


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("127.0.0.1:9292", "127.0.0.1:9294"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.1:9292", "10.0.0.7:9293"),
        ("0.0.0.0:9292", "[::1]:9293"),
    ],
)
def test_addresses_apart_are_no_trouble(first: str, second: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = said("--listen", first, "--metrics", second, capsys=capsys, stacks=("staging", "production"))
    assert "leaves free" not in text
    assert "Pulumi.staging.yaml" in text


def test_one_stack_cannot_take_one_address_twice(capsys: pytest.CaptureFixture[str]) -> None:
    text = said("--listen", "127.0.0.1:9292", "--metrics", "127.0.0.1:9292", capsys=capsys, stacks=("prod",))
    assert "--metrics for stack prod: found '127.0.0.1:9292'" in text
