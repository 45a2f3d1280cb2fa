"""Locks of real runs: a live owner is respected, a dead one is not in the way."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import psutil
import pytest

from tests.support.tiny_engine import TinyEngine, descendants, end, wait_until
from weir.edges.pulumi import programs
from weir.edges.pulumi.lock import StackLockedError, break_dead_locks, hold
from weir.edges.pulumi.namespaces import pids_prove

CONTAINER = ["unshare", *(["--map-root-user"] if os.getuid() else []), "--pid", "--fork", "--mount-proc"]
"""Runs a program with pids of its own and this host's name, as in `docker run --network host`."""
containers = pytest.mark.skipif(
    not pids_prove("")
    or subprocess.run([*CONTAINER, "true"], check=False, capture_output=True).returncode != 0,
    reason="needs the machine's own PID namespace and the right to make others",
)


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[TinyEngine]:
    engine = TinyEngine(tmp_path)
    yield engine
    engine.let_go()


def write_lock(folder: Path, **content: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    known = {
        "pid": dead_pid(),
        "username": "ann",
        "hostname": socket.gethostname(),
        "timestamp": datetime.now(UTC).isoformat(),
    }
    path = folder / f"{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps(known | content))
    return path


def dead_pid() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def test_a_live_run_is_respected_named_and_left_to_finish(tiny: TinyEngine) -> None:
    tiny.run("up")
    other = tiny.hold_at_slow(tiny.start_bare)
    (lock,) = tiny.locks()
    held, state = lock.read_bytes(), tiny.files.state.read_bytes()
    for verb in ("up", "destroy", "refresh"):
        output = tiny.run(verb, code=3)
        assert f"pid {other.pid} of " in output
        assert socket.gethostname() in output
        assert str(datetime.now(UTC).year) in output
    assert "Previewing" in tiny.run("preview")
    assert (lock.read_bytes(), tiny.files.state.read_bytes()) == (held, state)
    tiny.let_go()
    output, _ = other.communicate(timeout=60)
    assert other.returncode == 0, output
    assert tiny.done.count("create slow") == 1


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_live_run_is_respected_when_the_clock_moved(tiny: TinyEngine, hours: int) -> None:
    tiny.run("up")
    other = tiny.hold_at_slow(tiny.start_bare)
    (lock,) = tiny.locks()
    content = json.loads(lock.read_bytes())
    moved = datetime.now(UTC) + timedelta(hours=hours)
    lock.write_text(json.dumps(content | {"timestamp": moved.isoformat()}))
    with pytest.raises(StackLockedError, match=f"pid {other.pid}"):
        break_dead_locks(tiny.files.locks)
    tiny.let_go()
    other.communicate(timeout=60)


def test_a_killed_run_is_healed_by_the_next(tiny: TinyEngine) -> None:
    tiny.run("up")
    other = tiny.hold_at_slow(tiny.start_bare)
    below = descendants(other.pid)
    other.kill()
    end(below)
    other.communicate(timeout=30)
    assert len(tiny.locks()) == 1
    assert "pending_operations" in tiny.files.state.read_text()
    tiny.let_go()
    output = tiny.run("up")
    assert f"removed the stale lock of pid {other.pid}" in output
    assert "a killed run was creating urn:pulumi:dev::tiny::pulumi-python:dynamic:Resource::slow" in output
    assert tiny.locks() == []
    assert "pending_operations" not in tiny.files.state.read_text()
    assert "pending" not in tiny.run("preview", "--expect-no-changes")


def test_the_lock_of_a_dead_owner_is_removed_alone(tmp_path: Path) -> None:
    dead = write_lock(tmp_path)
    foreign = write_lock(tmp_path, hostname="elsewhere")
    with pytest.raises(StackLockedError, match="on elsewhere"):
        break_dead_locks(tmp_path)
    assert (dead.exists(), foreign.exists()) == (False, True)


def test_a_pid_that_belongs_to_another_program_now_is_no_owner(tmp_path: Path) -> None:
    lock = write_lock(tmp_path, pid=os.getpid())
    (told,) = break_dead_locks(tmp_path)
    assert str(os.getpid()) in told
    assert not lock.exists()


def test_a_pulumi_of_another_name_is_respected_until_it_ends(tmp_path: Path) -> None:
    program = tmp_path / "deploy"
    sleep = shutil.which("sleep")
    assert sleep
    program.write_bytes(Path(sleep).read_bytes() + b"github.com/pulumi/pulumi/pkg/v3/backend/diy")
    program.chmod(0o700)
    with subprocess.Popen([str(program), "60"], cwd=tmp_path) as owner:
        wait_until(lambda: psutil.Process(owner.pid).name() == "deploy", 10)
        lock = write_lock(tmp_path / "locks", pid=owner.pid)
        with pytest.raises(StackLockedError, match=f"pid {owner.pid} of ann"):
            break_dead_locks(lock.parent)
        lock.write_bytes(b"")
        os.utime(lock, (time.time() - 120, time.time() - 120))
        with pytest.raises(StackLockedError, match="unreadable lock"):
            break_dead_locks(lock.parent)
        owner.kill()
    assert len(break_dead_locks(lock.parent)) == 1


def test_a_program_that_cannot_be_read_is_no_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    write_lock(tmp_path, pid=os.getpid())
    monkeypatch.setattr(programs, "_has_signs", refuse)
    with pytest.raises(StackLockedError, match=f"pid {os.getpid()} of ann"):
        break_dead_locks(tmp_path)


@containers
@pytest.mark.parametrize("name", ["deploy", "pulumi"])
def test_an_owner_in_a_container_is_respected_by_a_run_outside(tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    python = Path(sys.executable).resolve()
    if name == "pulumi":
        program.symlink_to(python)
    else:
        program.write_bytes(python.read_bytes() + b"github.com/pulumi/pulumi")
        program.chmod(0o700)
    code = "import os; print(os.getpid(), flush=True); input()"
    with subprocess.Popen(
        [*CONTAINER, str(program), "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout
        lock = write_lock(tmp_path / "locks", pid=int(owner.stdout.readline()))
        with pytest.raises(StackLockedError, match="pid 1 of ann"):
            break_dead_locks(lock.parent)
        owner.communicate("\n")
    assert len(break_dead_locks(lock.parent)) == 1


@containers
def test_a_run_in_a_container_respects_the_pids_that_it_cannot_see(tmp_path: Path) -> None:
    write_lock(tmp_path)
    told = in_container(tmp_path)
    assert "the stack is locked by pid" in told
    assert "if that run is gone, which cannot be told from this container" in told
    assert "removed the stale lock" in in_container(tmp_path, KUBERNETES_SERVICE_HOST="10.0.0.1")


def in_container(folder: Path, **environ: str) -> str:
    """What breaking a folder's locks says in a container; it has a UTS namespace of its own when it is a pod."""
    code = f"""
from pathlib import Path
from weir.edges.pulumi.lock import break_dead_locks
print(break_dead_locks(Path({str(folder)!r})))
"""
    pod = ["--uts"] if environ else []
    container = [*CONTAINER[:-1], *pod, CONTAINER[-1]]
    done = subprocess.run(
        [*container, sys.executable, "-c", code],
        check=False,
        cwd=Path(__file__).parents[2],
        env=os.environ | environ,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def test_a_process_that_the_system_hides_is_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = write_lock(tmp_path, pid=os.getpid())

    def hidden(pid: int) -> psutil.Process:
        raise psutil.NoSuchProcess(pid)

    monkeypatch.setattr(psutil, "Process", hidden)
    with pytest.raises(StackLockedError, match=f"pid {os.getpid()}"):
        break_dead_locks(tmp_path)
    lock.unlink()
    write_lock(tmp_path)
    assert len(break_dead_locks(tmp_path)) == 1


def test_a_lock_that_cannot_be_read_at_present_has_an_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "locks"
    lock = write_lock(folder)
    os.utime(lock, (time.time() - 120, time.time() - 120))
    read = Path.read_bytes

    def stale(path: Path) -> bytes:
        if path == lock:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return read(path)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_bytes", stale)
        with pytest.raises(StackLockedError, match="cannot be read \\(Stale file handle"):
            break_dead_locks(folder)
    assert lock.exists()
    assert len(break_dead_locks(folder)) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x"}', b'{"pid": true}', b"\xff"])
@pytest.mark.parametrize("age", [120, -7200])
def test_an_unreadable_lock_is_removed_once_it_is_old(tmp_path: Path, content: bytes, age: float) -> None:
    folder = tmp_path / "locks"
    folder.mkdir()
    lock = folder / "x.json"
    lock.write_bytes(content)
    with pytest.raises(StackLockedError, match="unreadable lock"):
        break_dead_locks(folder)
    os.utime(lock, (time.time() - age, time.time() - age))
    assert len(break_dead_locks(folder)) == 1
    assert list(folder.iterdir()) == []


def test_a_leftover_temporary_file_in_the_lock_folder_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    folder.mkdir()
    leftover = folder / "fileblob123"
    leftover.touch()
    os.utime(leftover, (time.time() - 120, time.time() - 120))
    assert len(break_dead_locks(folder)) == 1


def test_no_run_starts_while_the_state_is_edited(tiny: TinyEngine) -> None:
    tiny.run("up")
    with hold(tiny.files.locks):
        other = tiny.start_bare()
        output, _ = other.communicate(timeout=60)
        assert other.returncode != 0
        assert f"pid {os.getpid()}" in output
        with pytest.raises(StackLockedError), hold(tiny.files.locks):
            raise AssertionError("held twice")
        assert len(tiny.locks()) == 1
    assert tiny.locks() == []
    other = tiny.start_bare()
    output, _ = other.communicate(timeout=60)
    assert other.returncode == 0, output


def test_a_lock_of_our_own_outlives_us_only_until_the_next_run(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    code = f"""
import os
from pathlib import Path
from weir.edges.pulumi.lock import hold
with hold(Path({str(folder)!r})):
    os._exit(9)
"""
    subprocess.run(["python3", "-c", code], check=False, cwd=Path(__file__).parents[2], env=_python_env())
    assert len(list(folder.iterdir())) == 1
    wait_until(lambda: break_dead_locks(folder), 10)
    assert list(folder.iterdir()) == []


def _python_env() -> dict[str, str]:
    import sys

    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
