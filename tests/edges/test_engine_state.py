"""A state file that was cut, flipped, deleted or rolled back is never taken for an empty stack."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.tiny_engine import TinyEngine
from weir.edges.pulumi.heal import Healing, heal
from weir.edges.pulumi.project import EngineError
from weir.edges.pulumi.state import StackFiles, noted_md5, sidecar, unit_ids_in_state
from weir.spec.identity import UnitId


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> TinyEngine:
    """A stack with two runs behind it; not to be written to."""
    tiny = TinyEngine(tmp_path_factory.mktemp("original"))
    tiny.run("up")
    tiny.declare("first second third")
    tiny.run("up")
    return tiny


@pytest.fixture
def tiny(original: TinyEngine, tmp_path: Path) -> TinyEngine:
    """The same stack in folders of the test's own."""
    engine = TinyEngine(tmp_path)
    shutil.rmtree(engine.root)
    shutil.rmtree(engine.backend)
    shutil.copytree(original.root, engine.root)
    shutil.copytree(original.backend, engine.backend)
    engine.environ["PYTHONPATH"] = str(engine.root)
    return engine


def put_right(files: StackFiles) -> Healing:
    return heal(files, check_salt=lambda _salt: None)


def aside(files: StackFiles) -> bytes:
    (path,) = files.asides()
    return path.read_bytes()


def test_a_healthy_state_is_left_alone(tiny: TinyEngine) -> None:
    before = {path: path.read_bytes() for path in tiny.backend.rglob("*") if path.is_file()}
    done = put_right(tiny.files)
    assert (done.told, done.exists, done.lost) == ([], True, False)
    assert {path: path.read_bytes() for path in tiny.backend.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_cut_off_state_is_recovered_and_the_next_run_does_nothing_twice(
    tiny: TinyEngine, share: float
) -> None:
    raw = tiny.files.state.read_bytes()
    cut = raw[: int(len(raw) * share)]
    tiny.files.state.write_bytes(cut)
    done_before = tiny.done
    output = tiny.run("up")
    assert "is corrupt" in output
    assert "recovered from" in output
    assert aside(tiny.files) == cut
    assert tiny.done == done_before
    assert len(tiny.resources()) == 5
    assert "corrupt" not in tiny.run("preview", "--expect-no-changes")


def test_a_deleted_state_is_recovered(tiny: TinyEngine) -> None:
    done_before = tiny.done
    tiny.files.state.unlink()
    output = tiny.run("up")
    assert "is missing" in output
    assert tiny.done == done_before
    assert len(tiny.resources()) == 5


def test_a_stack_that_was_removed_does_not_come_back_from_its_copies(tiny: TinyEngine) -> None:
    made = [f"create {name}" for name in ("first", "second", "third")]
    subprocess.run(
        tiny.bare("stack", "rm", "--yes", "--force", "--stack=dev"),
        cwd=tiny.root,
        env=tiny.environ,
        check=True,
        capture_output=True,
    )
    assert not tiny.files.state.exists()
    assert tiny.files.baks()
    done = put_right(tiny.files)
    assert (done.exists, done.lost, done.checkpoint) == (False, True, None)
    assert "it has no history either, so the stack starts empty" in tiny.run("up")
    assert sorted(tiny.done) == sorted(2 * made)
    assert "starts empty" not in tiny.run("up")


def test_a_state_that_was_lost_in_its_first_update_starts_empty(tiny: TinyEngine) -> None:
    for path in tiny.files.history():
        path.unlink()
    tiny.files.state.write_bytes(b"{")
    assert "recovered from" in put_right(tiny.files).told[0]
    tiny.files.state.unlink()
    done = put_right(tiny.files)
    assert (done.exists, done.lost) == (False, True)


def test_every_flipped_bit_is_found(tiny: TinyEngine) -> None:
    raw, dice = tiny.files.state.read_bytes(), random.Random(27)
    copies = {path.read_bytes() for path in tiny.files.copies()}
    for _ in range(60):
        flipped = bytearray(raw)
        flipped[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
        tiny.files.state.write_bytes(flipped)
        done = put_right(tiny.files)
        assert "is corrupt" in done.told[0]
        assert tiny.files.state.read_bytes() in copies
        for path in tiny.files.asides():
            assert path.read_bytes() == bytes(flipped)
            path.unlink()


def test_the_newest_whole_copy_wins(tiny: TinyEngine) -> None:
    whole = tiny.files.state.read_bytes()
    for path in (tiny.files.state, *tiny.files.baks(), tiny.files.history()[0]):
        path.write_bytes(path.read_bytes()[:-7])
    done = put_right(tiny.files)
    assert "backups/tiny/dev" in done.told[0]
    assert tiny.files.state.read_bytes() == whole
    assert noted_md5(tiny.files.state) is not None


def test_without_any_whole_copy_the_stack_starts_empty_and_says_so(tiny: TinyEngine) -> None:
    for path in (tiny.files.state, *tiny.files.copies()):
        path.write_bytes(b"{")
    output = tiny.run("up")
    assert "no copy is whole, so the stack starts empty" in output
    assert aside(tiny.files) == b"{"
    assert len(tiny.resources()) == 5


def test_a_rolled_back_state_is_kept_and_told(tiny: TinyEngine) -> None:
    old = tiny.files.history()[-1]
    shutil.copyfile(old, tiny.files.state)
    done = put_right(tiny.files)
    assert "the state is older than" in done.told[0]
    assert tiny.files.state.read_bytes() == old.read_bytes()
    assert tiny.files.asides() == []


def test_a_crash_between_the_note_and_the_file_is_no_corruption(tiny: TinyEngine) -> None:
    (bak,) = tiny.files.baks()
    shutil.copyfile(bak, tiny.files.state)
    assert put_right(tiny.files).exists
    assert tiny.files.asides() == []


def test_an_unreadable_note_or_layout_file_does_not_stop_a_run(tiny: TinyEngine) -> None:
    sidecar(tiny.files.state).write_bytes(b'{"user.')
    tiny.files.meta.write_bytes(b"ver")
    output = tiny.run("up")
    assert "meta.yaml was not readable" in output
    assert "dev.json.attrs" in output
    assert len(tiny.resources()) == 5


def test_permission_bits_are_kept(tiny: TinyEngine) -> None:
    tiny.files.state.chmod(0o640)
    tiny.files.state.write_bytes(b"{")
    put_right(tiny.files)
    assert tiny.files.state.stat().st_mode & 0o777 == 0o640


def test_a_wrong_passphrase_stops_before_anything_is_recovered(tiny: TinyEngine) -> None:
    tiny.files.state.write_bytes(b"{")
    tiny.environ["PULUMI_CONFIG_PASSPHRASE"] = "another"
    assert "is not the one that sealed its secrets" in tiny.run("up", code=1)
    assert tiny.files.state.read_bytes() == b"{"
    assert tiny.files.asides() == []
    assert tiny.locks() == []


def test_a_state_that_carries_code_is_refused_and_nothing_is_run(tiny: TinyEngine, tmp_path: Path) -> None:
    canary = tmp_path / "owned"
    document = json.loads(tiny.files.state.read_bytes())
    victim = next(
        item for item in document["checkpoint"]["latest"]["resources"] if "inputs" in item and item.get("id")
    )
    program = f"cposix\nsystem\n(S'touch {canary}'\ntR."
    victim.setdefault("inputs", {})["__provider"] = _base64(program)
    tiny.files.state.write_text(json.dumps(document))
    sidecar(tiny.files.state).unlink()
    before = tiny.done
    for verb in ("up", "preview", "refresh", "destroy"):
        output = tiny.run(verb, code=1)
        assert "found a dynamic provider that is not one of Weir's" in output
        assert victim["urn"] in output
    assert not canary.exists()
    assert tiny.done == before


def test_units_in_a_state(tmp_path: Path) -> None:
    state = tmp_path / "dev.json"
    assert unit_ids_in_state(state) == set()
    unit = {"type": "weir:kustomize:Kustomization", "inputs": {"unit": "Kustomization/apps/web"}}
    other = {"type": "weir:index:Kustomization"}
    state.write_text(json.dumps({"checkpoint": {"latest": {"resources": [unit, other]}}}))
    assert unit_ids_in_state(state) == {UnitId("Kustomization", "apps", "web")}
    state.write_text("{")
    with pytest.raises(EngineError, match="not readable"):
        unit_ids_in_state(state)


def _base64(program: str) -> str:
    import base64

    return base64.b64encode(program.encode()).decode()
