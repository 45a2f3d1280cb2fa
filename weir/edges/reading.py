"""Large YAML read by two processes at once, because a thread cannot use a second core."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import orjson

from weir.edges.process import ProcessError, run
from weir.spec.documents import Loaded, load_yaml
from weir.spec.errors import SpecError, StopRequested
from weir.spec.tree import Tree

LARGE: Final = 1024 * 1024
"""Bytes of YAML from which a second process pays for its start."""
_SHARE: Final = 0.45
"""Of the bytes, what the second process gets: it must start first."""
_SECONDS: Final = 120.0
_FREE: Final = threading.BoundedSemaphore(os.cpu_count() or 1)

Load = Callable[[bytes, str], Loaded]
Found = Mapping[str, Loaded]


@contextlib.contextmanager
def helped(tree: Tree, files: Sequence[str]) -> Iterator[Load]:
    """A `load_yaml` for these files, the last of which another process reads meanwhile when they are large.

    What the other process cannot read, for whatever reason, is read here, so the result and the errors are the same.
    """
    theirs = _last_part(tree, files)
    if not theirs or not _FREE.acquire(blocking=False):
        yield load_yaml
        return
    stop = threading.Event()
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="reading") as pool:
            job = pool.submit(_ask, [(path, tree.read(path)) for path in theirs], stop)
            try:
                yield _loader(job, frozenset(theirs))
            finally:
                stop.set()
    finally:
        _FREE.release()


def _last_part(tree: Tree, files: Sequence[str]) -> list[str]:
    sizes = {path: tree.files[path].size for path in files}
    total = sum(sizes.values())
    if total < LARGE or (os.cpu_count() or 1) == 1:
        return []
    taken: list[str] = []
    size = 0
    for path in reversed(files):
        size += sizes[path]
        if size > total * _SHARE:
            break
        taken.append(path)
    return taken[::-1]


def _loader(job: Future[Found], theirs: frozenset[str]) -> Load:
    def load(text: bytes, file: str) -> Loaded:
        known = job.result().get(file) if file in theirs else None
        return known or load_yaml(text, file)

    return load


def _ask(texts: Sequence[tuple[str, bytes]], stop: threading.Event) -> Found:
    """What the other process read; nothing when it failed."""
    try:
        asked = orjson.dumps([text.decode("utf-8-sig") for _, text in texts])
        argv = [sys.executable, "-I", "-m", __name__]
        done = run(argv, env={}, timeout=_SECONDS, stdin=asked, stop=stop, max_stdout=4 * len(asked) + 4096)
        answers = orjson.loads(done.stdout) if done.returncode == 0 else []
    except (ProcessError, StopRequested, ValueError):
        return {}
    pairs = zip(texts, answers, strict=False)
    return {name: Loaded(tuple(answer[0]), answer[1]) for (name, _), answer in pairs if answer}


def _answer(text: str) -> tuple[tuple[object, ...], str] | None:
    try:
        loaded = load_yaml(text, "")
    except SpecError:
        return None
    return loaded.values, loaded.odd


def main() -> None:
    """The other process: a JSON list of texts comes in, what each holds goes out."""
    gc.disable()
    texts = orjson.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(orjson.dumps([_answer(text) for text in texts]))


if __name__ == "__main__":
    main()
