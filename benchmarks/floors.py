"""Floors: what the same work costs without Weir. None of Weir's code runs here."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final

import urllib3

from benchmarks.content import Obj
from demo.rest import Rest
from demo.server import git
from demo.stack import StackRun
from weir.edges.tools import locate

_THREADS: Final = 8
_EMPTY_PROJECT: Final = "name: empty\nruntime: python\n"


def raw_apply(rest: Rest, objects: Iterable[Obj]) -> float:
    """Seconds to server-side apply the objects by 8 threads on pooled connections."""
    wanted = list(objects)
    rest.kind(wanted[0]["apiVersion"], wanted[0]["kind"])
    return _parallel([partial(rest.apply, obj) for obj in wanted])


def raw_delete(rest: Rest, objects: Iterable[Obj]) -> float:
    """Seconds to delete the objects by 8 threads."""
    return _parallel([partial(_delete, rest, obj) for obj in objects])


def raw_list(rest: Rest, objects: Iterable[Obj], namespace: str) -> float:
    """Seconds to list every kind of the objects once in their namespace."""
    kinds = [rest.kind(*pair) for pair in sorted({(obj["apiVersion"], obj["kind"]) for obj in objects})]
    begin = time.perf_counter()
    for kind in kinds:
        rest.list(kind, namespace=namespace)
    return time.perf_counter() - begin


def kustomize(folders: Sequence[Path], *, workers: int = 1) -> float:
    """Seconds the kustomize binary takes for these folders, `workers` at a time."""
    return _parallel([partial(_build, folder) for folder in folders], workers)


def clone(url: str, folder: Path) -> float:
    """Seconds of a shallow clone of branch main."""
    begin = time.perf_counter()
    words = ["git", "clone", "--quiet", "--depth=1", "--branch=main", "--", url, str(folder)]
    subprocess.run(words, check=True, timeout=300, capture_output=True)
    return time.perf_counter() - begin


def push(url: str, folder: Path) -> float:
    """Seconds of a shallow clone of branch main, a commit, and its push to another branch."""
    begin = time.perf_counter()
    clone(url, folder)
    git("commit", "--quiet", "--allow-empty", "--message=floor", cwd=folder)
    git("push", "--quiet", "origin", "HEAD:refs/heads/floor", cwd=folder)
    return time.perf_counter() - begin


def ls_remotes(urls: Sequence[str]) -> float:
    """Seconds of `git ls-remote` for these repositories, 8 at a time."""
    return _parallel([partial(_ls_remote, url) for url in urls])


def tag_lists(urls: Sequence[str]) -> float:
    """Seconds to read these pages by 8 threads on pooled connections."""
    with urllib3.PoolManager(maxsize=_THREADS) as pool:
        return _parallel([partial(_read, pool, url) for url in urls])


def empty_pulumi_program(stack: StackRun) -> float:
    """Seconds of `pulumi up` for a Python program without a resource, in a project of its own."""
    project = stack.folder / "empty-program"
    if not project.exists():
        project.mkdir()
        (project / "Pulumi.yaml").write_text(_EMPTY_PROJECT)
        (project / "__main__.py").write_text("")
        stack.run("pulumi", "--cwd", str(project), "stack", "init", "empty", "--non-interactive").must()
    words = (
        "pulumi",
        "--cwd",
        str(project),
        "up",
        "--yes",
        "--skip-preview",
        "--non-interactive",
        "--stack",
        "empty",
    )
    return stack.run(*words).must().seconds


def _build(folder: Path) -> None:
    words = [str(locate("kustomize")), "build", "--load-restrictor=LoadRestrictionsNone", "--", str(folder)]
    subprocess.run(words, check=True, timeout=300, stdout=subprocess.DEVNULL)


def _read(pool: urllib3.PoolManager, url: str) -> None:
    answer = pool.request("GET", url)
    assert answer.status == HTTPStatus.OK, f"{url}: {answer.status}"


def _ls_remote(url: str) -> None:
    words = ["git", "ls-remote", "--quiet", "--heads", "--", url]
    subprocess.run(words, check=True, timeout=60, capture_output=True)


def _delete(rest: Rest, obj: Obj) -> None:
    meta = obj["metadata"]
    rest.delete(obj["apiVersion"], obj["kind"], meta.get("namespace", ""), meta["name"])


def _parallel(jobs: Sequence[Callable[[], object]], workers: int = _THREADS) -> float:
    begin = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()
    return time.perf_counter() - begin
