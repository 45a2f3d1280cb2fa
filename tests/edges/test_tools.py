"""Tools come from PATH when new enough, else from the cache, and are built once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from weir.edges import tools
from weir.edges.pulumi.project import backend_folder
from weir.edges.tools import TOOLS, ToolError, bin_dirs, build_folder, locate

BUILD = tools.SOURCES / "build.py"
TINY = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("tiny") }\n'


@pytest.fixture
def only_system_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that comes first on PATH, with nothing of Weir's behind it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return folder


def install(folder: Path, name: str, version: str) -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho v{version}\n")
    program.chmod(0o755)
    return program


def engine(arguments: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the engine with this home and without plugins on PATH."""
    path = os.pathsep.join([*map(str, bin_dirs(tools.PROGRAMS)), "/usr/bin", "/bin"])
    known = {"HOME": str(home), "PATH": path, "PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "1"}
    return subprocess.run(
        [locate("pulumi"), *arguments.split()],
        env={**known, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_tool_has_a_module_with_checksums() -> None:
    for name in TOOLS:
        assert (tools.SOURCES / name / "go.mod").is_file(), name
        assert (tools.SOURCES / name / "go.sum").is_file(), name


@pytest.mark.parametrize(("version", "taken"), [("5.4.0", True), ("6.0.1", True), ("5.3.9", False)])
def test_a_new_enough_binary_on_path_is_taken(only_system_path: Path, version: str, taken: bool) -> None:
    program = install(only_system_path, "kustomize", version)
    assert (tools.find_installed(TOOLS["kustomize"]) == program) is taken


def test_an_upgrade_on_path_is_noticed(only_system_path: Path) -> None:
    install(only_system_path, "pulumi-language-python", "0")
    install(only_system_path, "pulumi", "3.100.0")
    assert tools.find_installed(TOOLS["pulumi"]) is None
    program = install(only_system_path, "pulumi", "3.2590.0")
    assert tools.find_installed(TOOLS["pulumi"]) == program


def test_the_engine_is_taken_only_with_the_language_host_beside_it(only_system_path: Path) -> None:
    install(only_system_path, "pulumi", "3.300.0")
    assert tools.find_installed(TOOLS["pulumi"]) is None
    host = install(only_system_path, "pulumi-language-python", "0")
    assert tools.find_installed(TOOLS["pulumi-language-python"]) == host


def test_a_plugin_that_pulumi_downloaded_is_taken(
    only_system_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    plugin = TOOLS["pulumi-resource-kubernetes"]
    folder = tmp_path / "plugins" / f"resource-kubernetes-v{plugin.version}"
    assert tools.find_installed(plugin) is None
    folder.mkdir(parents=True)
    downloaded = install(folder, plugin.name, plugin.version)
    assert tools.find_installed(plugin) == downloaded


def test_linked_plugins_stay_when_another_home_with_links_to_them_goes(
    only_system_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plugin = TOOLS["pulumi-resource-kubernetes"]
    real = install(tmp_path, plugin.name, plugin.version)
    link = tmp_path / "one" / "plugins" / f"resource-kubernetes-v{plugin.version}" / plugin.name
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "one"))
    tools.link_plugins(tmp_path / "two")
    link.unlink()
    (found,) = (tmp_path / "two" / "plugins").glob("*/*")
    assert found.is_file()


def test_a_missing_tool_names_the_command_that_builds_it(
    only_system_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ToolError, match=r"kustomize: found no 5\.4 or newer on PATH.*`make tools`"):
        locate("kustomize")


def test_the_engine_finds_everything_it_starts() -> None:
    path = os.pathsep.join(map(str, bin_dirs()))
    for name in (*tools.ENGINE, "pulumi-language-python-exec", "pulumi-resource-pulumi-python"):
        assert shutil.which(name, path=path), name


def test_the_home_is_the_one_that_the_engine_goes_by(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = engine("whoami", tmp_path, PULUMI_BACKEND_URL="file://~/no-such-folder?no_tmp_dir=true")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert f'"file://{tools.user_home()}/no-such-folder' in done.stderr
    assert backend_folder("file://~/state", tmp_path) == tools.user_home().resolve() / "state"
    assert tools.pulumi_home({"HOME": str(tmp_path)}) == tools.user_home() / ".pulumi"
    assert tools.pulumi_home({"PULUMI_HOME": "/srv/pulumi"}) == Path("/srv/pulumi")


def test_a_user_whom_the_system_does_not_know_has_the_home_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "getuid", lambda: 4294967)
    assert tools.user_home() == tmp_path


def test_the_engine_takes_linked_plugins_without_a_word(tmp_path: Path) -> None:
    tools.link_plugins(tmp_path)
    tools.link_plugins(tmp_path)
    done = engine("plugin ls", tmp_path)
    done.check_returncode()
    assert "kubernetes" in done.stdout
    assert TOOLS["pulumi-resource-kubernetes"].version in done.stdout
    assert done.stderr == ""


def test_the_located_kustomize_runs() -> None:
    done = subprocess.run(
        [locate("kustomize"), "version"], capture_output=True, text=True, check=True, timeout=20
    )
    assert done.stdout.startswith("v5.")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """A copy of the build script whose tool `etcd` is a ten-word program; returns the environment to run it in."""
    root = tmp_path / "copy"
    for package in ("weir", "weir/edges", "weir/spec", "tools/etcd"):
        (root / package).mkdir(parents=True)
    real = tools.SOURCES.parent
    for file in (
        "weir/__init__.py",
        "weir/edges/__init__.py",
        "weir/spec/__init__.py",
        "weir/spec/errors.py",
    ):
        shutil.copy(real / file, root / file)
    table = (
        (real / "weir/edges/tools.py")
        .read_text()
        .replace('package="go.etcd.io/etcd/server/v3"', 'package="."')
    )
    (root / "weir/edges/tools.py").write_text(table)
    shutil.copy(BUILD, root / "tools/build.py")
    (root / "tools/etcd/go.mod").write_text("module example.test/tiny\n\ngo 1.24\n")
    (root / "tools/etcd/main.go").write_text(TINY)
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "WEIR_COPY": str(root)}


def build(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "tools/build.py", "--only", "etcd"]
    return subprocess.run(
        argv,
        cwd=environment["WEIR_COPY"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_two_builds_at_once_build_once(tiny: dict[str, str]) -> None:
    with ThreadPoolExecutor(2) as both:
        outputs = [done.stdout for done in both.map(build, [tiny, tiny])]
    assert sorted("built in" in text for text in outputs) == [False, True]
    assert all("already built" in text or "built in" in text for text in outputs)
    assert "already built" in build(tiny).stdout
    (binary,) = Path(tiny["XDG_CACHE_HOME"]).glob("weir/tools/etcd-*/etcd")
    assert subprocess.run([binary], capture_output=True, text=True, check=True, timeout=9).stdout == "tiny\n"


def test_a_failed_build_shows_the_compiler_and_leaves_nothing(tiny: dict[str, str]) -> None:
    (Path(tiny["WEIR_COPY"]) / "tools/etcd/main.go").write_text(
        "package main\n\nfunc main() { nonsense() }\n"
    )
    done = build(tiny)
    assert done.returncode == 1
    assert "undefined: nonsense" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in Path(tiny["XDG_CACHE_HOME"]).glob("weir/tools/*") if path.is_dir()]


def test_no_go_says_what_to_install(tiny: dict[str, str]) -> None:
    done = build({**tiny, "PATH": "/nonexistent"})
    assert done.returncode == 1
    assert "install Go" in done.stderr


def test_the_cache_key_follows_the_pins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = build_folder(TOOLS["kwok"])
    shutil.copytree(tools.SOURCES / "kwok", tmp_path / "kwok")
    monkeypatch.setattr(tools, "SOURCES", tmp_path)
    assert build_folder(TOOLS["kwok"]) == before
    with (tmp_path / "kwok/go.sum").open("a") as pins:
        pins.write("\n")
    assert build_folder(TOOLS["kwok"]) != before
