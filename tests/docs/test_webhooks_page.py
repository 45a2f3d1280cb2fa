"""The page about webhooks says what is so: its commands run, its examples are read, its tables are complete."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from demo.stack import PROJECT
from tests.docs.test_reference import known_fields, leaves, section, spelled
from weir.notify.hooks import Accepted, HookRequest, hook_path, judge
from weir.objects.hook_targets import check_receiver
from weir.spec.documents import Document
from weir.spec.receiver import TYPES, ReceiverSpec, parse_receiver

PAGE: Final = (PROJECT / "docs" / "webhooks.md").read_text()
SPEC: Final[dict[str, Any]] = {
    "type": "generic",
    "secretRef": {"name": "a"},
    "resources": [{"kind": "Bucket", "name": "a"}],
}


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def parse(spec: dict[str, Any]) -> ReceiverSpec:
    metadata = {"name": "a", "namespace": "b"}
    data = {"apiVersion": "notification.toolkit.fluxcd.io/v1", "kind": "Receiver"}
    return parse_receiver(Document("a.yaml", 0, {**data, "metadata": metadata, "spec": spec}))


def run(script: str, tmp_path: Path, **environ: str) -> str:
    """What a block prints, with `kubectl` and `curl` that print their arguments as JSON."""
    for name in ("kubectl", "curl"):
        tool = tmp_path / name
        tool.write_text("#!/usr/bin/env python3\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
        tool.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", script],
        env={"PATH": path, **environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return done.stdout


def test_the_receiver_on_the_page_is_read_and_its_path_is_the_one_that_the_commands_print(
    tmp_path: Path,
) -> None:
    document = yaml.safe_load(blocks("yaml")[0])
    spec = parse_receiver(Document("page.yaml", 0, document))
    secret, path = run(blocks("sh")[0], tmp_path).splitlines()
    token = json.loads(secret)[-1].removeprefix("--from-literal=token=")
    assert json.loads(secret)[:6] == ["create", "secret", "generic", spec.secret, "-n", spec.id.namespace]
    assert path == hook_path(token.encode(), spec.id.name, spec.id.namespace)


def test_what_the_commands_sign_is_accepted(tmp_path: Path) -> None:
    arguments = json.loads(run(blocks("sh")[-1], tmp_path, TOKEN="s3cret"))
    name, _, value = arguments[arguments.index("-H") + 1].partition(": ")
    body = arguments[arguments.index("-d") + 1].encode()
    request = HookRequest(headers={name.lower(): value}, body=body)
    spec = parse({**SPEC, "type": "generic-hmac"})
    assert isinstance(judge(spec, {"token": b"s3cret"}, request), Accepted)
    assert not isinstance(judge(spec, {"token": b"other"}, request), Accepted)


def test_the_filter_on_the_page_can_be_evaluated() -> None:
    check_receiver(parse({**SPEC, **yaml.safe_load(blocks("yaml")[1])}), same_namespace=False)


def test_every_field_is_in_the_table_and_no_other() -> None:
    assert leaves(known_fields(SPEC, parse)) == spelled(section("webhooks.md", "Which units"))


def test_every_type_is_in_the_table_and_no_other() -> None:
    rows = re.findall(r"^\| (`[^|]*) \|", section("webhooks.md", "Types"), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == {"type", *TYPES}
