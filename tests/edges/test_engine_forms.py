"""Compressed states, settings elsewhere, kills at any moment, and the verbs as a person types them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tiny_engine import REPOSITORY, TinyEngine, descendants, end


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[TinyEngine]:
    engine = TinyEngine(tmp_path)
    yield engine
    engine.let_go()


def weir(tiny: TinyEngine, *arguments: str) -> tuple[int, str]:
    answer = subprocess.run(
        [sys.executable, "-m", "weir.cli", *arguments],
        cwd=tiny.root,
        env=tiny.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return answer.returncode, answer.stdout + answer.stderr


def test_a_gzip_state_is_recovered_too(tiny: TinyEngine) -> None:
    tiny.environ["PULUMI_DIY_BACKEND_GZIP"] = "true"
    tiny.run("up")
    assert tiny.files.state.name == "dev.json.gz"
    before = tiny.done
    tiny.files.state.write_bytes(tiny.files.state.read_bytes()[:200])
    assert "recovered from" in tiny.run("up")
    assert tiny.done == before


def test_a_zstd_state_is_checked_by_its_export_and_never_guessed_at(tiny: TinyEngine) -> None:
    tiny.environ["PULUMI_DIY_BACKEND_ZSTD"] = "true"
    tiny.run("up")
    assert tiny.files.state.name == "dev.json.zst"
    before = tiny.done
    assert "not checked: compressed with zstd" in tiny.run("up")
    tiny.files.state.unlink()
    output = tiny.run("up", code=1)
    assert "is missing" in output
    assert "which cannot be checked here" in output
    assert tiny.done == before


def test_settings_in_another_file_hold_the_salt_and_leave_no_stray(tiny: TinyEngine) -> None:
    other = tiny.root / "elsewhere.yaml"
    other.write_text("config:\n  weir:options: '{\"requirePassphrase\": true}'\n")
    code, output = weir(
        tiny, "up", "--stack", "dev", "--config-file", "elsewhere.yaml", "--", "--no-such-flag"
    )
    assert code == 1, output
    assert "unknown flag" in output
    assert not (tiny.root / "Pulumi.dev.yaml").exists()
    tiny.environ["PULUMI_CONFIG_PASSPHRASE"] = ""
    code, output = weir(tiny, "up", "--stack", "dev", "--config-file", "elsewhere.yaml")
    assert (code, "found an empty passphrase" in output) == (1, True)


def test_settings_in_another_file_leave_the_projects_own_as_it_is(tiny: TinyEngine) -> None:
    (tiny.root / "elsewhere.yaml").write_text("config: {}\n")
    own = tiny.root / "Pulumi.dev.yaml"
    own.write_text("config:\n  tiny:a: b\n")
    code, output = weir(
        tiny, "up", "--stack", "dev", "--config-file", "elsewhere.yaml", "--", "--no-such-flag"
    )
    assert (code, "unknown flag" in output) == (1, True)
    assert own.read_text() == "config:\n  tiny:a: b\n"


def test_settings_in_another_file_and_a_backend_beside_the_project(tiny: TinyEngine) -> None:
    (tiny.root / "elsewhere.yaml").write_text("config: {}\n")
    del tiny.environ["PULUMI_BACKEND_URL"]
    beside = tiny.root.parent / "beside"
    beside.mkdir()
    text = "name: tiny\nruntime: python\nbackend:\n  url: file://../beside\n"
    (tiny.root / "Pulumi.yaml").write_text(text)
    code, output = weir(
        tiny, "up", "--stack", "dev", "--config-file", "elsewhere.yaml", "--", "--no-such-flag"
    )
    assert (code, "unknown flag" in output) == (1, True)
    assert [path.name for path in (beside / ".pulumi" / "stacks" / "tiny").glob("*.json")] == ["dev.json"]


@pytest.mark.parametrize("seconds", [0.6, 0.9, 1.2, 1.5])
def test_killed_at_any_moment_the_next_run_ends_well(tiny: TinyEngine, seconds: float) -> None:
    tiny.run("up")
    tiny.declare("first second third fourth")
    other = tiny.start_bare()
    time.sleep(seconds)
    below = descendants(other.pid) if other.poll() is None else []
    other.kill()
    end(below)
    other.communicate(timeout=30)
    for half in tiny.files.locks.glob("*.tmp"):
        os.utime(half, (time.time() - 120,) * 2)  # what is being written is respected for a minute
    tiny.run("up")
    assert tiny.locks() == []
    names = {resource["urn"].rpartition("::")[2] for resource in tiny.resources()}
    assert names >= {"first", "second", "third", "fourth"}
    assert not any(line.startswith("delete") for line in tiny.done)
    tiny.run("preview", "--expect-no-changes")


def test_destroy_asks_and_without_anybody_to_ask_does_nothing(tiny: TinyEngine) -> None:
    code, output = weir(tiny, "destroy", "--stack", "dev")
    assert (code, "pass --yes" in output) == (1, True)
    assert not (tiny.backend / ".pulumi").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("up",), 1, "found no stack"),
        (("up", "--stack", "../x"), 1, "expected letters, digits"),
        (("up", "--stack", "dev", "--", "--stack=prod"), 1, "pass it before the --"),
        (("up", "--stack", "dev", "--", "prod"), 1, "only flags may follow"),
        (("up", "--stack", "dev", "--target", "web"), 1, "expected Kind/namespace/name"),
        (("up", "--stack", "dev", "--cwd", "/"), 1, "found no Pulumi.yaml"),
        (("up", "--stack", "dev", "--config-file", "none.yaml"), 1, "found no such file"),
        (("up", "--bogus"), 2, "unrecognized arguments"),
        (("preview", "--help"), 0, "another run holds the stack"),
    ],
)
def test_wrong_usage_is_told_and_nothing_is_run(
    tiny: TinyEngine, arguments: tuple[str, ...], code: int, words: str
) -> None:
    got, output = weir(tiny, *arguments)
    assert (got, words in output) == (code, True), output
    assert "Traceback" not in output
    assert not (tiny.backend / ".pulumi").exists()
