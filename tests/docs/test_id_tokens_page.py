"""The page about ID tokens says what is so: its receiver is read, its job sends a token, its tables are complete."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from demo.stack import PROJECT
from tests.docs.test_reference import known_fields, leaves, section, spelled
from tests.support.receivers import FLEET, PROVIDER, receiver, receiver_document, units
from weir.notify.hooks import TOKEN, receiver_path
from weir.notify.id_token import ALGORITHMS
from weir.objects.hook_targets import check_receiver, targets
from weir.spec.documents import Document
from weir.spec.receiver import OIDC, ReceiverSpec, parse_receiver
from weir.watch.id_tokens import AUDIENCE, EMAIL

PAGE: Final = (PROJECT / "docs" / "id-tokens.md").read_text()
RECEIVER, JOB = (
    yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)


def parse(provider: dict[str, Any]) -> ReceiverSpec:
    return parse_receiver(receiver_document(type=OIDC, oidcProviders=[provider]))


def test_the_receiver_on_the_page_is_read_and_its_job_sends_a_token_to_its_path(tmp_path: Path) -> None:
    spec = parse_receiver(Document("page.yaml", 0, RECEIVER))
    check_receiver(spec, same_namespace=True)
    seen = tmp_path / "seen"
    tools = {"curl": f'echo "$@" >> {seen}; echo a.b.c', "jq": "cat"}
    for name, does in tools.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    place = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://ci.example/?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "r"}
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **place}
    subprocess.run(["bash", "-euc", JOB["steps"][0]["run"]], env=environ, check=True, timeout=20)
    asked, sent = seen.read_text().splitlines()
    assert asked.endswith(f"bearer r https://ci.example/?v=1&audience={spec.providers[0].audience}")
    assert sent.endswith(f"Authorization: Bearer a.b.c https://weir.example.com{receiver_path(spec, {})}")


def test_every_field_is_in_the_table_and_no_other() -> None:
    provider = {**PROVIDER, "variables": [{"name": "a", "expression": "1"}]}
    known = leaves(known_fields(provider, parse))
    assert known == spelled(section("id-tokens.md", "Fields")) - {"spec.oidcProviders"}


def test_the_filter_on_the_page_lets_a_repository_ask_for_its_own_units() -> None:
    found = re.search(r"`(claims\.repository == 'my-org/' \+ [^`]+)`", PAGE)
    assert found
    spec = receiver(type=OIDC, resourceFilter=found[1])
    check_receiver(spec, same_namespace=False)
    assert targets(spec, units("fleet", "other"), {}, {"repository": "my-org/fleet"}) == (FLEET,)
    assert targets(spec, units("fleet", "other"), {}, {"repository": "my-org/other"}) == ()


def test_every_algorithm_and_every_key_of_the_secret_is_named() -> None:
    named = section("id-tokens.md", "What a token must prove")
    assert {name for name in ALGORITHMS if name[2:] != "384"} == set(re.findall(r"[A-Z]S\d+|EdDSA", named))
    keys = re.findall(r"^\| `(\w+)` \|", section("id-tokens.md", "Google"), re.MULTILINE)
    assert keys == [TOKEN, EMAIL, AUDIENCE]
