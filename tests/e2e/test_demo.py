"""`make demo` on a reader's own cluster: it works, and works again, and leaves nothing of its own and all of theirs."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from demo.rest import Rest
from demo.server import GitServer, git
from demo.stack import PROJECT
from demo.story import ENVIRONMENTS, OWN
from tests.support.checker import Checker
from tests.support.invariants import expect_no_process
from tests.support.tiny_engine import wait_until
from tests.support.world import config_map

NAMES = (*(f"weir-demo-{name}" for name in ENVIRONMENTS), OWN)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def start(kubeconfig: Path | str, scratch: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "demo"],
        cwd=PROJECT,
        env={**os.environ, "KUBECONFIG": str(kubeconfig), "TMPDIR": str(scratch), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def play(kubeconfig: Path | str, scratch: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    process = start(kubeconfig, scratch, **environment)
    out, err = process.communicate(timeout=400)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def demo_objects(rest: Rest) -> set[str]:
    checker = Checker(rest, "weir-demo", "weir-demo")
    return {"/".join(key) for key in checker.owned()}


@pytest.mark.slow
def test_the_demo_works_on_the_readers_cluster_and_leaves_nothing(kubeconfig: Path, tmp_path: Path) -> None:
    rest = Rest.load(kubeconfig)
    rest.apply(config_map("default", "of-the-reader", A="1"))
    for _ in range(2):
        done = play(kubeconfig, tmp_path)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert "empty" in done.stdout
        for old, new in (("1.0.0", "1.0.1"), ("1.0.1", "1.0.0")):
            assert f"Weir committed 'Offers in development: {old} to {new}'" in done.stdout
        assert not list(tmp_path.glob("weir-demo-*"))
        expect_no_process(tmp_path, seconds=0.0)
        assert demo_objects(rest) == set()
        spaces = {item["metadata"]["name"] for item in rest.list(rest.kind("v1", "Namespace"))}
        assert not {name for name in spaces if name.startswith("weir-demo")}
    assert rest.get("v1", "ConfigMap", "default", "of-the-reader") is not None


def test_the_demo_refuses_a_cluster_where_its_names_are_taken(kubeconfig: Path, tmp_path: Path) -> None:
    rest = Rest.load(kubeconfig)
    rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "weir-demo-dev"}})
    try:
        done = play(kubeconfig, tmp_path)
        assert done.returncode == 1
        assert "weir-demo-dev" in done.stderr
        assert done.stdout.startswith(
            f"Cluster: yours, context weir-local at {rest.server}, from {kubeconfig}.\n"
        )
        live = rest.get("v1", "Namespace", "", "weir-demo-dev")
        assert live is not None
        assert not live["metadata"].get("deletionTimestamp")
    finally:
        rest.delete("v1", "Namespace", "", "weir-demo-dev")


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The only line of a demo that could not be played, and left nothing behind."""
    assert done.returncode == 1, done.stderr
    line = done.stderr.strip()
    assert line.startswith("✗ "), line
    assert "\n" not in line, line
    return line


def test_the_demo_says_in_one_line_that_git_is_missing(kubeconfig: Path, tmp_path: Path) -> None:
    found = complaint(play(kubeconfig, tmp_path, PATH=str(tmp_path)))
    assert found == "✗ git: found none on PATH, expected one; install it, and run again"


def test_the_demo_says_in_one_line_that_a_list_of_kubeconfigs_is_none(
    kubeconfig: Path, tmp_path: Path
) -> None:
    found = complaint(play(f"{kubeconfig}:/other", tmp_path))
    assert found.startswith(f"✗ $KUBECONFIG: found '{kubeconfig}:")
    assert found.endswith("expected one file; run KUBECONFIG=FILE make demo")


def test_the_demo_says_in_one_line_that_no_server_answers(kubeconfig: Path, tmp_path: Path) -> None:
    config = yaml.safe_load(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    other = tmp_path / "kubeconfig"
    other.write_text(yaml.safe_dump(config))
    found = complaint(play(other, tmp_path))
    assert found.startswith("✗ the API server gave no answer: ")
    assert "Connection refused" in found
    assert "kubectl get namespaces" in found


def test_the_demo_says_in_one_line_that_the_account_may_not(kubeconfig: Path, tmp_path: Path) -> None:
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "nobody's"}
    other = tmp_path / "kubeconfig"
    other.write_text(yaml.safe_dump(config))
    found = complaint(play(other, tmp_path))
    assert found.startswith("✗ the API server refused with 401: Unauthorized; choose a context")


def wait_until_gone(rest: Rest) -> None:
    for name in NAMES:
        wait_until(lambda: rest.get("v1", "Namespace", "", name) is None, 120)  # noqa: B023 - called at once
    wait_until(lambda: not demo_objects(rest), 120)


def choose_elsewhere(kubeconfig: Path) -> None:
    """As a person does it with `kubectl config use-context` in another terminal."""
    config = yaml.safe_load(kubeconfig.read_text())
    config["clusters"].append({"name": "elsewhere", "cluster": {"server": "https://127.0.0.1:1"}})
    config["contexts"].append({"name": "elsewhere", "context": {"cluster": "elsewhere"}})
    kubeconfig.write_text(yaml.safe_dump(config | {"current-context": "elsewhere"}))


def is_going(rest: Rest, name: str) -> bool:
    live = rest.get("v1", "Namespace", "", name)
    return live is None or "deletionTimestamp" in live["metadata"]


@pytest.mark.slow
def test_an_interrupted_demo_ends_its_run_and_removes_what_it_made_where_it_said(
    kubeconfig: Path, tmp_path: Path
) -> None:
    rest = Rest.load(kubeconfig)
    wait_until_gone(rest)
    own = tmp_path / "kubeconfig"
    shutil.copy(kubeconfig, own)
    with start(own, tmp_path) as process, contextlib.ExitStack() as stack:
        stack.callback(process.kill)
        assert process.stdout is not None
        assert "context weir-local" in process.stdout.readline()
        choose_elsewhere(own)
        wait_until(lambda: rest.get("v1", "Namespace", "", "weir-demo-dev") or process.poll(), 300)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "removing what the demo made" in err
    assert "Traceback" not in err
    expect_no_process(tmp_path, seconds=0.0)
    assert not list(tmp_path.glob("weir-demo-*"))
    assert is_going(rest, "weir-demo")
    assert is_going(rest, "weir-demo-dev")
    wait_until_gone(rest)


def test_only_who_knows_the_password_pushes_to_the_demo(tmp_path: Path) -> None:
    with GitServer(tmp_path) as server:
        repository = server.repository("shop")
        (repository.work / "a").write_text("1")
        first = repository.commit("First")
        assert git("ls-remote", f"{server.url}/shop.git", "main", cwd=tmp_path).split()[0] == first
        (repository.work / "a").write_text("2")
        git("commit", "--quiet", "-am", "Second", cwd=repository.work)
        for login in ("", "weir:guessed@"):
            place = server.url.replace("://", f"://{login}")
            with pytest.raises(RuntimeError):
                git("push", "--quiet", f"{place}/shop.git", "HEAD:main", cwd=repository.work)
        assert repository.last("a").subject == "First"
        place = server.url.replace("://", f"://weir:{server.login['password']}@")
        git("push", "--quiet", f"{place}/shop.git", "HEAD:main", cwd=repository.work)
        assert repository.last("a").content == "2"
