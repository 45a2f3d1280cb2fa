"""Several who write at once, and writers that are killed: no commit is lost, none is made twice."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.git_server import GitServer, Repo
from tests.support.writing import NOW, Writer, pushing, setting, target
from weir.edges.git.writing import Base
from weir.flow.write_back import Edit, Edits, Pushed

FILE = "deploy/app.yaml"
ROUNDS = 20
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with GitServer(tmp_path / "server") as server:
        made = server.repo("apps")
        made.commit({FILE: "image: app:0\nnote: 0\n"}, "first")
        yield made


def raising(number: int) -> Edit:
    """The edit that every writer wants in a round: another tag, and nothing else of the file."""

    def edit(base: Base) -> Edits | None:
        image, note = base.read(FILE).decode().splitlines()
        if int(image.partition("app:")[2]) >= number:
            return None
        return Edits(files={FILE: f"image: app:{number}\n{note}\n".encode()}, message=f"bot {number}")

    return edit


def by_hand(repo: Repo, number: int) -> None:
    """A human commits to the same file, and tries again when somebody else was faster."""
    while True:
        base = repo.head()
        image = repo.raw("blob", f"{base}:{FILE}").decode().splitlines()[0]
        made = repo.commit(
            {FILE: f"{image}\nnote: {number}\n"}, f"human {number}", parent=base, ref="refs/human/new"
        )
        try:
            repo.git("update-ref", "refs/heads/main", made, base)
        except RuntimeError:
            continue
        return


def together(*jobs: Callable[[], object]) -> list[object]:
    """Run all at once and return what they returned; the first error is raised."""
    start = threading.Barrier(len(jobs))
    found: list[object] = [None] * len(jobs)

    def run(place: int, job: Callable[[], object]) -> None:
        start.wait(30)
        try:
            found[place] = job()
        except Exception as err:  # noqa: BLE001 - handed to the test
            found[place] = err

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    for one in found:
        if isinstance(one, Exception):
            raise one
    return found


@pytest.mark.slow
def test_two_writers_and_a_human(tmp_path: Path, repo: Repo) -> None:
    writers = [Writer(tmp_path / f"writer-{number}", now=NOW + number) for number in range(2)]
    wanted = target(repo.url)
    again = 0
    for number in range(1, ROUNDS + 1):
        edit = raising(number)
        ready = [(writer, writer.prepared(wanted, edit)) for writer in writers]

        jobs = [partial(writer.push, prepared, wanted, edit) for writer, prepared in ready]
        done = together(*jobs, partial(by_hand, repo, number))
        pushes = [one for one in done if isinstance(one, Pushed)]
        assert sorted(one.nothing for one in pushes) == [False, True], "one of them made the commit"
        again += sum(one.rebased for one in pushes)
    said = repo.git("log", "--format=%s", "main").splitlines()
    assert sorted(said) == sorted(
        ["first", *(f"{who} {n}" for who in ("bot", "human") for n in range(1, ROUNDS + 1))]
    )
    assert repo.files() == {FILE: f"image: app:{ROUNDS}\nnote: {ROUNDS}\n"}
    assert again >= ROUNDS, "the one who came second saw it"


def test_two_writers_of_a_branch_of_their_own(tmp_path: Path, repo: Repo) -> None:
    wanted = pushing(repo.url, "auto")
    writers = [Writer(tmp_path / f"writer-{number}", now=NOW + number) for number in range(2)]
    for number in range(1, 4):
        edit = raising(number)
        together(*(partial(one.write, wanted, edit) for one in writers))
        assert repo.git("log", "--format=%s", "auto").splitlines() == [f"bot {number}", "first"]


KILLED = """
import sys, time
from pathlib import Path
from tests.support.writing import Writer, setting, target
writer, wanted, edit = Writer(Path(sys.argv[1])), target(sys.argv[2]), setting("deploy/app.yaml", "v: 2\\n", "bot")
prepared = writer.prepared(wanted, edit)
print(prepared.commit, flush=True)
if sys.argv[3] == "push":
    writer.push(prepared, wanted, edit)
time.sleep(60)
"""


def start(folder: Path, repo: Repo, until: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", KILLED, str(folder), repo.url, until]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def kill(running: subprocess.Popen[str]) -> None:
    running.kill()
    running.communicate(timeout=30)


def test_killed_between_prepare_and_push(tmp_path: Path, repo: Repo) -> None:
    running = start(tmp_path / "writer", repo, "prepare")
    assert running.stdout is not None
    prepared = running.stdout.readline().strip()
    kill(running)
    assert repo.git("log", "--format=%s", "main") == "first"
    pushed = Writer(tmp_path / "writer").write(target(repo.url), setting(FILE, "v: 2\n", "bot"))
    assert pushed is not None
    assert pushed.commit == prepared == repo.head()


def test_killed_while_the_server_takes_the_push(tmp_path: Path, repo: Repo) -> None:
    hook = repo.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch started\nsleep 1\n")
    hook.chmod(0o755)
    running = start(tmp_path / "writer", repo, "push")
    wait_for((repo.path / "started").exists)
    kill(running)
    wait_for(lambda: repo.git("log", "--format=%s", "main").splitlines() == ["bot", "first"])
    assert Writer(tmp_path / "writer").prepare(target(repo.url), setting(FILE, "v: 2\n", "bot")) is None


def wait_for(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)
