"""A real OCI registry on loopback, and something to push with.

Its files are in a folder of the caller's; it has no login unless it gets an `auth` section, and it deletes tags.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from weir.edges.tools import locate

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_SECONDS: Final = 20.0
_ANSWERS: Final = (200, 201, 202, 204)


@dataclass(frozen=True)
class Registry:
    """A running registry, and how the pusher logs in there."""

    url: str
    folder: Path
    authorization: str = ""

    @property
    def host(self) -> str:
        """`127.0.0.1:port`, for image names."""
        return urlsplit(self.url).netloc

    def push(self, repository: str, tag: str, created: str | None = None, **platform: str) -> str:
        """Push an image without layers; its digest. Without `created` its configuration has no such field."""
        config = {"architecture": platform.get("architecture", "amd64"), "os": platform.get("os", "linux")}
        content = json.dumps(config | ({"created": created} if created else {})).encode()
        described = {"mediaType": CONFIG, "digest": self._blob(repository, content), "size": len(content)}
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": []}
        return self._manifest(repository, tag, json.dumps(document).encode(), MANIFEST)

    def push_index(self, repository: str, tag: str, entries: Sequence[tuple[str, str]]) -> str:
        """Push an index over (digest, os) pairs that are there already; its digest."""
        manifests = [
            {
                "mediaType": MANIFEST,
                "digest": digest,
                "size": len(self._ask("GET", f"{repository}/manifests/{digest}", Accept=MANIFEST).data),
                "platform": {"os": system, "architecture": "unknown" if system == "unknown" else "amd64"},
            }
            for digest, system in entries
        ]
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        return self._manifest(repository, tag, json.dumps(document).encode(), INDEX)

    def tag(self, repository: str, digest: str, *tags: str) -> None:
        """Let more tags stand for an image that is there."""
        answer = self._ask("GET", f"{repository}/manifests/{digest}", Accept=f"{MANIFEST}, {INDEX}")
        for tag in tags:
            self._manifest(repository, tag, answer.data, answer.headers["Content-Type"])

    def tag_many(self, repository: str, digest: str, tags: Sequence[str]) -> None:
        """The same for thousands at once: written where the registry keeps them, since each PUT takes 7 ms."""
        root = self.folder / "data/docker/registry/v2/repositories" / repository / "_manifests/tags"
        for tag in tags:
            link = root / tag / "current" / "link"
            link.parent.mkdir(parents=True)
            link.write_text(digest)

    def untag(self, repository: str, tag: str) -> None:
        """Delete one tag."""
        self._ask("DELETE", f"{repository}/manifests/{tag}")

    def _blob(self, repository: str, content: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        place = self._ask("POST", f"{repository}/blobs/uploads/").headers["Location"]
        joint = "&" if "?" in place else "?"
        self._ask("PUT", f"{place}{joint}digest={digest}", content)
        return digest

    def _manifest(self, repository: str, tag: str, content: bytes, kind: str) -> str:
        answer = self._ask("PUT", f"{repository}/manifests/{tag}", content, **{"Content-Type": kind})
        return answer.headers["Docker-Content-Digest"]

    def _ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        if self.authorization:
            headers["Authorization"] = self.authorization
        url = urljoin(f"{self.url}/v2/", path)
        try:
            answer = _POOL.request(method, url, body=body, headers=headers, redirect=False)
        except HTTPError as err:
            raise AssertionError(f"the registry at {self.url} gave no answer: {err}") from err
        assert answer.status in _ANSWERS, (method, url, answer.status, answer.data[:500])
        return answer


_POOL: Final = urllib3.PoolManager(maxsize=4)


@contextlib.contextmanager
def running_registry(
    folder: Path, auth: dict[str, Any] | None = None, authorization: str = ""
) -> Iterator[Registry]:
    """A registry with its files in a folder, without login or with the `auth` section of its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0", "secret": secrets.token_hex(16), "relativeurls": True},
        **({"auth": auth} if auth else {}),
    }
    (folder / "config.yml").write_text(json.dumps(settings))
    log = folder / "registry.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [locate("registry"), "serve", str(folder / "config.yml")],
            env={"PATH": os.defpath, "HOME": str(folder), "OTEL_TRACES_EXPORTER": "none"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
        )
    try:
        yield Registry(f"http://127.0.0.1:{_port(process, log)}", folder, authorization)
    finally:
        process.kill()
        process.wait(10)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text(errors="replace")):
            return int(found[1])
        time.sleep(0.01)
    raise AssertionError(f"the registry did not start:\n{log.read_text(errors='replace')[-2000:]}")
