"""Servers that are away, slow, broken or lying, and caches that lose things."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git_server import GitServer, Repo
from tests.support.sources import Place, git_spec
from weir.edges.git.cache import prune_caches
from weir.edges.store import Store
from weir.spec.errors import ArtifactError, SourceError, StopRequested, WeirError

pytestmark = pytest.mark.faults


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def repo(server: GitServer) -> Repo:
    made = server.repo("apps")
    made.commit({f"f/{number}.yaml": os.urandom(2000).hex() for number in range(40)})
    return made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


def test_a_refused_connection_then_recovery(place: Place, server: GitServer, repo: Repo) -> None:
    good = place.sync(git_spec(repo.url)).artifact
    server.stop()
    with pytest.raises(SourceError, match="connection is refused"):
        place.sync(git_spec(repo.url))
    assert place.store.holds(good.digest), "the last good artifact is still there to apply"
    server.start()
    assert place.sync(git_spec(repo.url)).artifact == good


STATUSES = [
    (500, "the server failed"),
    (503, "the server failed"),
    (404, "no such repository"),
    (403, "access is denied"),
    (429, "slow down"),
]


@pytest.mark.parametrize(("status", "text"), STATUSES)
def test_statuses_are_told_apart(place: Place, server: GitServer, repo: Repo, status: int, text: str) -> None:
    server.trouble.status = status
    with pytest.raises(SourceError, match=text):
        place.sync(git_spec(repo.url))


def test_a_host_name_that_does_not_resolve(place: Place) -> None:
    with pytest.raises(SourceError, match="cannot be resolved"):
        place.sync(git_spec("https://no-such-host.invalid/x.git"))


def test_a_server_that_says_nothing_costs_the_timeout_once(
    place: Place, server: GitServer, repo: Repo
) -> None:
    server.trouble.hang = threading.Event()
    before = time.monotonic()
    with pytest.raises(SourceError, match="no answer within 1 s"):
        place.sync(git_spec(repo.url, timeout="1s"))
    assert time.monotonic() - before < 10


def test_a_stop_request_does_not_wait_for_the_server(place: Place, server: GitServer, repo: Repo) -> None:
    server.trouble.hang = threading.Event()
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    before = time.monotonic()
    with pytest.raises(StopRequested):
        place.sync(git_spec(repo.url, timeout="60s"), stop=stop)
    assert time.monotonic() - before < 10


def test_an_empty_repository(place: Place, server: GitServer) -> None:
    with pytest.raises(
        SourceError, match="no reference refs/heads/main; the repository lists no such references"
    ):
        place.sync(git_spec(server.repo("empty").url))


def test_a_deleted_branch_keeps_the_artifact(place: Place, repo: Repo) -> None:
    good = place.sync(git_spec(repo.url)).artifact
    repo.git("branch", "other", "main")
    repo.git("update-ref", "-d", "refs/heads/main")
    with pytest.raises(SourceError, match=r"refs/heads/main; correct spec.ref; there are: refs/heads/other"):
        place.sync(git_spec(repo.url))
    assert place.store.holds(good.digest)


@pytest.mark.parametrize("tenth", range(10))
def test_a_download_cut_short_leaves_nothing_behind(
    place: Place, server: GitServer, repo: Repo, tenth: int
) -> None:
    server.trouble.cut_after = 16_000 * tenth // 2
    with pytest.raises(SourceError):
        place.sync(git_spec(repo.url))
    assert list(place.store.trees.all()) == []
    server.trouble.cut_after = -1
    assert len(place.files(place.sync(git_spec(repo.url)))) == 40


@pytest.mark.parametrize("position", [200, 5_000, 50_000, 90_000])
def test_a_flipped_byte_is_noticed(place: Place, server: GitServer, repo: Repo, position: int) -> None:
    server.trouble.flip_at = position
    with pytest.raises(SourceError):
        place.sync(git_spec(repo.url))
    assert list(place.store.trees.all()) == []
    server.trouble.flip_at = -1
    assert place.sync(git_spec(repo.url)).changed


@pytest.mark.parametrize("damage", ["delete", "truncate", "edit"])
def test_an_artifact_damaged_in_the_store_is_built_again(place: Place, repo: Repo, damage: str) -> None:
    first = place.sync(git_spec(repo.url)).artifact
    tree = place.store.tree(first.digest)
    path = place.store.blobs.path(tree.files["f/7.yaml"].sha256)
    content = path.read_bytes()
    if damage == "delete":
        path.unlink()
    else:
        path.write_bytes(content[:10] if damage == "truncate" else b"X" + content[1:])
    with pytest.raises(ArtifactError):
        tree.read("f/7.yaml")
    again = place.sync(git_spec(repo.url)).artifact
    assert again == first
    assert place.store.tree(again.digest).read("f/7.yaml") == content


@pytest.mark.parametrize("damage", ["objects gone", "pack cut", "no repository", "stale lock", "memo gone"])
def test_a_damaged_cache_is_built_again(place: Place, repo: Repo, damage: str) -> None:
    place.sync(git_spec(repo.url))
    (folder,) = (place.cache / "repos").iterdir()
    git = folder / "git"
    if damage in ("objects gone", "no repository"):
        subprocess.run(
            ["rm", "-rf", str(git / "objects/pack" if damage == "objects gone" else git)], check=True
        )
    elif damage == "pack cut":
        for pack in (git / "objects").rglob("*"):
            if pack.is_file():
                pack.chmod(0o600)
                pack.write_bytes(pack.read_bytes()[:40])
    elif damage == "stale lock":
        (git / "shallow.lock").write_text("")
    else:
        subprocess.run(["rm", "-rf", str(folder / "memo")], check=True)
    commit = repo.commit({"new.yaml": "n: 1\n"})
    result = place.sync(git_spec(repo.url))
    assert result.artifact.revision == f"main@sha1:{commit}"
    assert len(place.files(result)) == 41


def test_a_lost_store_is_filled_again_from_the_cache(place: Place, repo: Repo, tmp_path: Path) -> None:
    first = place.sync(git_spec(repo.url)).artifact
    place.store = Store(tmp_path / "another")
    assert place.sync(git_spec(repo.url)).artifact == first
    assert place.store.holds(first.digest)


def test_several_at_once_agree(place: Place, repo: Repo) -> None:
    found: list[str] = []

    def sync() -> None:
        mine = Place(place.root)
        found.append(mine.sync(git_spec(repo.url)).artifact.digest)

    workers = [threading.Thread(target=sync) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert len(found) == 6
    assert len(set(found)) == 1


def test_what_a_killed_process_left_is_swept_away(place: Place, server: GitServer, repo: Repo) -> None:
    server.trouble.hang = threading.Event()
    place.secrets["auth"] = {"bearerToken": b"t0ken"}
    script = (
        "import sys; from pathlib import Path; from tests.support.sources import Place, git_spec\n"
        "place = Place(Path(sys.argv[1]), secrets={'auth': {'bearerToken': b't0ken'}})\n"
        "place.sync(git_spec(sys.argv[2], secretRef={'name': 'auth'}))\n"
    )
    root = Path(__file__).parents[2]
    child = subprocess.Popen([sys.executable, "-c", script, str(place.root), repo.url], cwd=root)
    deadline = time.monotonic() + 20
    while not list(place.cache.glob("calls/*/config")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.kill()
    child.wait(20)
    assert list(place.cache.glob("calls/*/config")), "a killed process cannot clean up"
    server.trouble.hang.set()
    server.trouble.hang = None
    place.sync(git_spec(repo.url))
    assert list((place.cache / "calls").iterdir()) == []


def test_unused_caches_can_be_pruned(place: Place, repo: Repo) -> None:
    place.sync(git_spec(repo.url))
    repos = place.cache / "repos"
    assert prune_caches(repos, older_than=time.time() - 3600) == 0
    assert prune_caches(repos, older_than=time.time() + 3600) == 1
    assert len(place.files(place.sync(git_spec(repo.url, ignore="none")))) == 40


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB that really fills up."""
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mount)]
    done = subprocess.run(command, check=False, capture_output=True)
    if done.returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def test_a_full_disk_fails_closed_and_recovers(small_disk: Path, server: GitServer) -> None:
    big = server.repo("big")
    big.commit({f"{number}.bin": os.urandom(300_000) for number in range(30)})
    place = Place(small_disk)
    with pytest.raises(WeirError, match=r"(?i)disk|no space"):
        place.sync(git_spec(big.url))
    assert list(place.store.trees.all()) == []
    small = server.repo("small")
    small.commit({"a.yaml": "a: 1\n"})
    subprocess.run(["rm", "-rf", str(place.cache)], check=True)
    place.store.collect_garbage([], max_bytes=0, min_age=-60, now=time.time())
    assert place.files(place.sync(git_spec(small.url))) == {"a.yaml": "a: 1\n"}


def test_a_full_store_fails_closed(small_disk: Path) -> None:
    store = Store(small_disk / "store")
    good = store.put({"a": b"1"})
    with pytest.raises(ArtifactError, match="cannot write an artifact: No space left on device"):
        store.put({f"{number}": os.urandom(300_000) for number in range(30)})
    assert store.holds(good)
    assert list((store.root / "tmp").iterdir()) == []
