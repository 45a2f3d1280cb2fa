"""The demo says which cluster it writes to, and refuses what does not name one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.target import readers_target
from weir.spec.errors import WeirError


def written(folder: Path, **changes: Any) -> Path:
    """A kubeconfig of two contexts."""
    names = ("kitchen", "garden")
    config = {
        "current-context": "garden",
        "contexts": [{"name": name, "context": {"cluster": name, "user": "cook"}} for name in names],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example:6443"}} for name in names],
        "users": [{"name": "cook", "user": {"token": "t0ken"}}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config | changes))
    return file


def test_the_current_context_and_its_server_are_known_before_the_first_write(tmp_path: Path) -> None:
    chosen = readers_target(str(written(tmp_path)))
    assert (chosen.context, chosen.server) == ("garden", "https://garden.example:6443")


def test_a_list_of_files_is_refused(tmp_path: Path) -> None:
    listed = f"{written(tmp_path)}:/other"
    with pytest.raises(WeirError) as caught:
        readers_target(listed)
    assert str(caught.value) == (
        f"$KUBECONFIG: found {listed!r}, expected one file; run KUBECONFIG=FILE make demo"
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeirError, match=r"none: found No such file or directory, .* unset it for a local"):
        readers_target(str(tmp_path / "none"))


@pytest.mark.parametrize("name", ["", None])
def test_a_file_without_current_context_is_refused(tmp_path: Path, name: str | None) -> None:
    file = written(tmp_path, **{"current-context": name})
    with pytest.raises(
        WeirError, match=r"current-context: found nothing, .* kubectl config use-context NAME"
    ):
        readers_target(str(file))


@pytest.mark.parametrize("text", ["", "- a\n", "{}"])
def test_what_is_no_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(WeirError, match="expected a context"):
        readers_target(str(file))


def test_a_context_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeirError, match="contexts: found 'cellar', expected one of kitchen, garden"):
        readers_target(str(written(tmp_path, **{"current-context": "cellar"})))
