"""The artifact store, on a real disk."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import stat
import time
from pathlib import Path

import pytest

from weir.edges.store import Store, StoreLimits
from weir.spec.errors import ArtifactError
from weir.spec.tree import TreeFile

FILES = {"apps/web.yaml": b"kind: Deployment\n", "readme": b"", "apps/\u00fc.yaml": b"\x00\xff"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache" / "store")


def blob_path(store: Store, data: bytes) -> Path:
    return store.blobs.path(hashlib.sha256(data).hexdigest())


def test_what_goes_in_comes_out(store: Store) -> None:
    tree = store.tree(store.put(FILES))
    assert {path: tree.read(path) for path in tree.files} == FILES
    assert list(tree.files) == sorted(FILES)


def test_the_digest_depends_on_content_only(tmp_path: Path) -> None:
    first = Store(tmp_path / "a").put(FILES)
    second = Store(tmp_path / "b").put(dict(reversed(FILES.items())))
    assert first == second
    assert Store(tmp_path / "a").put(FILES | {"readme": b"."}) != first


def test_the_digest_is_of_the_documented_manifest(store: Store) -> None:
    digest = store.put({"b": b"2", "a": store.put_link("b")})
    rows = [
        ("a", hashlib.sha256(b"b").hexdigest(), "1", "b"),
        ("b", hashlib.sha256(b"2").hexdigest(), "1", ""),
    ]
    text = "".join("\t".join(row) + "\n" for row in rows)
    assert digest == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_links_are_kept_and_never_followed(store: Store, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("outside")
    tree = store.tree(
        store.put({"link": store.put_link(str(secret)), "up": store.put_link("../../etc/passwd")})
    )
    assert tree.files["link"].link == str(secret)
    with pytest.raises(ArtifactError, match="a link to"):
        tree.read("link")


def test_an_altered_blob_is_never_read_and_heals(store: Store) -> None:
    digest = store.put(FILES)
    path = blob_path(store, b"kind: Deployment\n")
    path.write_bytes(b"kind: Backdoored")
    with pytest.raises(ArtifactError, match=r"apps/web.yaml .*altered"):
        store.tree(digest).read("apps/web.yaml")
    assert not store.holds(digest)
    assert store.put(FILES) == digest
    assert store.tree(digest).read("apps/web.yaml") == b"kind: Deployment\n"


@pytest.mark.parametrize("damage", ["delete", "truncate"])
def test_a_lost_or_short_blob_is_noticed_without_reading(store: Store, damage: str) -> None:
    digest = store.put(FILES)
    path = blob_path(store, b"kind: Deployment\n")
    path.unlink() if damage == "delete" else path.write_bytes(b"kind")
    assert not store.holds(digest)
    with pytest.raises(ArtifactError):
        store.tree(digest).read("apps/web.yaml")
    store.put(FILES)
    assert store.holds(digest)


def test_a_tampered_manifest_is_refused(store: Store) -> None:
    digest = store.put(FILES)
    path = store.trees.path(digest.removeprefix("sha256:"))
    path.write_bytes(path.read_bytes().replace(b"apps/web.yaml", b"apps/bad.yaml"))
    with pytest.raises(ArtifactError, match="altered"):
        store.tree(digest)


def test_a_blob_replaced_by_a_link_is_refused(store: Store, tmp_path: Path) -> None:
    digest = store.put(FILES)
    path = blob_path(store, b"kind: Deployment\n")
    elsewhere = tmp_path / "same"
    elsewhere.write_bytes(b"kind: Deployment\n")
    path.unlink()
    path.symlink_to(elsewhere)
    with pytest.raises(ArtifactError):
        store.tree(digest).read("apps/web.yaml")


@pytest.mark.parametrize(
    "digest", ["", "sha256:", "md5:abc", "sha256:" + "G" * 64, "sha256:" + "a" * 64, "../x"]
)
def test_unknown_or_malformed_digests_are_refused(store: Store, digest: str) -> None:
    with pytest.raises(ArtifactError):
        store.tree(digest)


@pytest.mark.parametrize(
    "path",
    [
        "", "/abs", "../x", "a/../../x", "a/..", "a//b", "./a", "a\\..\\x", "a\nb", "a\tb", "a\x00b", "\x7f", "\udcff",
        ".git/config", "a/.GIT/hooks/x", ".git", "x/.git. ", "git~1/x", ".g\u200cit/x", ".git::$INDEX_ALLOCATION/x",
        "x" * 256, "d/" * 64 + "x", "long/" * 1000,
    ],
)  # fmt: skip
def test_paths_that_could_escape_are_refused(store: Store, path: str) -> None:
    with pytest.raises(ArtifactError):
        store.put({path: b"x"})


@pytest.mark.parametrize(
    "path", [".github/x", ".gitignore", "a..b", "...", "git", "unit\\x2d.service", "a b", "\u00e9"]
)
def test_harmless_paths_are_accepted(store: Store, path: str) -> None:
    assert store.tree(store.put({path: b"x"})).read(path) == b"x"


def test_a_path_cannot_be_file_and_folder(store: Store) -> None:
    with pytest.raises(ArtifactError, match="both a file and a folder"):
        store.put({"a": b"", "a/b/c": b""})


def test_limits_hold(tmp_path: Path) -> None:
    store = Store(tmp_path / "s", StoreLimits(file_bytes=10, total_bytes=15, files=2))
    with pytest.raises(ArtifactError, match="over 10 bytes"):
        store.put({"a": b"x" * 11})
    with pytest.raises(ArtifactError, match="over 15 bytes"):
        store.put({"a": b"x" * 10, "b": b"y" * 10})
    with pytest.raises(ArtifactError, match="at most 2"):
        store.put({"a": b"", "b": b"", "c": b""})


def test_a_stream_is_cut_off_at_the_limit(tmp_path: Path) -> None:
    store = Store(tmp_path / "s", StoreLimits(file_bytes=1000))
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            taken += 100
            yield b"x" * 100

    with pytest.raises(ArtifactError, match="over 1000 bytes"):
        store.put_blob(endless(), "bomb")  # type: ignore[arg-type]
    assert taken <= 1200
    assert list((store.root / "tmp").iterdir()) == []


def test_a_file_of_another_tree_costs_nothing_but_must_be_here(store: Store) -> None:
    tree = store.tree(store.put(FILES))
    assert (
        store.tree(store.put({"moved": tree.files["apps/web.yaml"]})).read("moved") == b"kind: Deployment\n"
    )
    with pytest.raises(ArtifactError, match="missing"):
        store.put({"x": TreeFile("0" * 64, 3)})


def test_everything_is_private_under_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = Store(tmp_path / "deep" / "store")
        store.put(FILES)
    finally:
        os.umask(before)
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "deep").rglob("*")}
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in found.items() if path.is_file()} == {0o600}
    assert stat.S_IMODE((tmp_path / "deep").stat().st_mode) == 0o700


def test_a_read_only_disk_fails_closed(store: Store, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (store.root / "tmp").rmdir()
        (store.root / "tmp").write_text("a file where the folder was")
    else:
        (store.root / "tmp").chmod(0o500)
    with pytest.raises(ArtifactError, match="cannot write an artifact"):
        store.put(FILES)
    assert list(store.trees.all()) == []


def _import(root: str, number: int) -> str:
    store = Store(Path(root))
    files = {f"f{i}": b"%d" % (i % 50) for i in range(200)} | {"own": b"%d" % (number % 2)}
    return [store.put(files) for _ in range(5)][-1]


def test_several_processes_at_once(tmp_path: Path) -> None:
    root = str(tmp_path / "s")
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        digests = pool.starmap(_import, [(root, number) for number in range(8)])
    assert len(set(digests)) == 2
    tree = Store(tmp_path / "s").tree(digests[0])
    assert [tree.read(path) for path in tree.files]


def test_garbage_goes_oldest_first_and_what_is_kept_stays(store: Store) -> None:
    now = time.time()
    old, mid, new = (store.put({"shared": b"s" * 100, "own": bytes([n]) * 1000}) for n in range(3))
    for age, digest in ((300, old), (200, mid), (100, new)):
        path = store.trees.path(digest.removeprefix("sha256:"))
        os.utime(path, (now - age, now - age))
    for path in (store.root / "blobs").rglob("*"):
        os.utime(path, (now - 300, now - 300))
    freed = store.collect_garbage([old], max_bytes=2900, min_age=50, now=now)
    assert freed > 1000
    assert [store.holds(digest) for digest in (old, mid, new)] == [True, False, True]
    store.collect_garbage([], max_bytes=0, min_age=3600, now=now)
    assert store.holds(old), "used a moment ago"
    store.collect_garbage([], max_bytes=0, min_age=-10, now=now + 60)
    assert not any(store.holds(digest) for digest in (old, mid, new))
    assert list(store.blobs.all()) == []


def test_garbage_of_crashed_imports_goes_too(store: Store) -> None:
    leftover = store.root / "tmp" / "123-0-dead"
    leftover.write_bytes(b"half")
    orphan = store.put_blob(b"orphan")
    store.collect_garbage([], max_bytes=10**9, min_age=60, now=time.time())
    assert leftover.exists()
    assert store.has_blob(orphan)
    store.collect_garbage([], max_bytes=10**9, min_age=60, now=time.time() + 120)
    assert not leftover.exists()
    assert not store.has_blob(orphan)
