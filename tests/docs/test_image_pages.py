"""The pages about images say what the code does: annotations, both dialects, and the example of a promotion."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest

from demo.stack import PROJECT
from tests.support.image_policies import policy
from weir.edit.image import Image
from weir.edit.summary import format_diff, format_moves, moves
from weir.edit.template_functions import FUNCTIONS
from weir.flow.image_choice import Choice
from weir.flow.image_edits import ImageEdits, edit_images
from weir.flow.images import Container
from weir.flow.load import load_folder
from weir.flow.tree import UnitTree
from weir.select.tag_move import Decision
from weir.spec import image_automation, image_policy
from weir.spec.git_repository import GitRef
from weir.spec.image_automation import ImageAutomationSpec, check_branches
from weir.spec.image_policy import ImagePolicySpec, SemverRule

DOCS: Final = PROJECT / "docs"
PROMOTION: Final = DOCS / "examples" / "promotion"
IMAGES: Final = (DOCS / "image-automation.md").read_text()
PULL_REQUESTS: Final = (DOCS / "pull-requests.md").read_text()
PAGES: Final = (IMAGES, PULL_REQUESTS, (DOCS / "promotion.md").read_text())
NEW: Final = "6.5.1"
_BLOCK: Final = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OWN: Final = re.compile(r"`(weir\.dev/[a-z-]+)[`:]")


class Files(dict[str, bytes]):
    """The files of a commit."""

    def files(self, prefix: str) -> tuple[str, ...]:
        return tuple(path for path in self if path.startswith(prefix))

    def read(self, path: str) -> bytes:
        return self[path]


class Always:
    """A policy that chooses `NEW`."""

    def __init__(self, spec: ImagePolicySpec, name: str) -> None:
        self.spec = spec
        self.name = name

    def choose(self, current: Image | None) -> Choice:
        image = Image(name=self.name, tag=NEW)
        return Choice(image=image, decision=Decision(tag=NEW, verdict="move" if current else "first"))


def always_for(container: Container) -> Choice:
    """The same for a container."""
    assert container.pattern.matches(NEW)
    image = Image(name=container.image.name, tag=NEW)
    return Choice(image=image, decision=Decision(tag=NEW, verdict="move"))


def declared(folder: Path) -> UnitTree:
    """The units of a folder of Flux documents, all of them good."""
    loaded, tree = load_folder(folder), UnitTree()
    tree.declare(loaded.documents)
    assert not loaded.problems
    assert not tree.problems
    assert not tree.unsupported
    return tree


def edited(tree: UnitTree, files: dict[str, bytes]) -> ImageEdits:
    """What the one automation of a tree does to files."""
    specs: list[Any] = [one.spec for one in tree.units.values()]
    found = {
        f"{spec.id.namespace}:{spec.id.name}": spec for spec in specs if isinstance(spec, ImagePolicySpec)
    }
    images = {spec.id: spec.image for spec in specs if spec.id.kind == "ImageRepository"}
    (automation,) = (spec for spec in specs if isinstance(spec, ImageAutomationSpec))
    policies = {key: Always(spec, images[spec.repository]) for key, spec in found.items()}
    done = edit_images(Files(files), automation, policies, always_for)
    assert not done.problems
    assert not done.notes
    return done


def page_tree(page: str, folder: Path) -> UnitTree:
    """The Flux objects of a page."""
    blocks = [block for block in _BLOCK.findall(page) if "kind: Image" in block]
    for number, block in enumerate(blocks):
        (folder / f"{number}.yaml").write_text(block)
    return declared(folder)


def test_every_annotation_is_on_a_page_and_no_other() -> None:
    own = {
        value
        for module in (image_policy, image_automation)
        for value in vars(module).values()
        if isinstance(value, str) and re.fullmatch(r"weir\.dev/.+", value)
    }
    assert {name for page in PAGES for name in _OWN.findall(page)} == own
    assert len(own) == 9


def test_both_dialects_follow_an_image(tmp_path: Path) -> None:
    tree = page_tree(IMAGES, tmp_path)
    marked, annotated = (block for block in _BLOCK.findall(IMAGES) if "kind: Image" not in block)
    pod = "{containers: [{name: web, image: 'ghcr.io/stefanprodan/podinfo:6.5.0'}]}"
    workload = f"apiVersion: apps/v1\nkind: Deployment\n{annotated}spec: {{template: {{spec: {pod}}}}}\n"
    files = {"apps/marked.yaml": marked.encode(), "apps/annotated.yaml": workload.encode()}
    wanted = {name: text.replace(b"podinfo:6.5.0", f"podinfo:{NEW}".encode()) for name, text in files.items()}
    assert wanted != files
    assert edited(tree, files).files == wanted


def test_the_preview_on_the_page_is_what_is_shown(tmp_path: Path) -> None:
    marked = next(block for block in _BLOCK.findall(IMAGES) if block.lstrip().startswith("containers:"))
    files = {"apps/web.yaml": marked.encode()}
    done = edited(page_tree(IMAGES, tmp_path), files)
    assert format_moves(moves(done.changes)) + format_diff(files, done.files) in IMAGES


def test_the_automation_of_the_page_on_pull_requests_opens_one(tmp_path: Path) -> None:
    (unit,) = page_tree(PULL_REQUESTS, tmp_path).units.values()
    assert isinstance(unit.spec, ImageAutomationSpec)
    assert unit.spec.pull_request is not None
    assert unit.spec.pull_request.labels == ("images", "bot")


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_each_environment_of_the_example_writes_to_its_own_folder(environment: str) -> None:
    files = {
        path.relative_to(PROMOTION).as_posix(): path.read_bytes()
        for path in sorted(PROMOTION.rglob("*.yaml"))
    }
    name = f"apps/{environment}/kustomization.yaml"
    wanted = files[name].replace(b"newTag: 6.5.0 #", f"newTag: {NEW} #".encode())
    assert wanted != files[name]
    assert edited(declared(PROMOTION / "clusters" / environment), files).files == {name: wanted}


def test_only_production_asks_first() -> None:
    found: dict[str, ImageAutomationSpec] = {}
    for environment in ("staging", "production"):
        for one in declared(PROMOTION / "clusters" / environment).units.values():
            if isinstance(one.spec, ImageAutomationSpec):
                check_branches(one.spec, GitRef(branch="main"))
                found[environment] = one.spec
    assert found["staging"].pull_request is None
    assert found["staging"].push.branch == "main"
    assert found["production"].pull_request is not None
    assert found["production"].push.branch not in ("", "main")


def test_the_ranges_of_the_page_mean_what_it_says() -> None:
    page = PAGES[2]
    ranges = re.findall(r"`range: \"?([^`\"]+)\"?`", page)
    without, early = (policy(SemverRule(text)) for text in ranges)
    assert without.latest(["6.5.0", "6.5.1", "7.0.0"]) == "6.5.0"
    assert without.latest(["6.5.0", "6.5.1", "6.5.2"]) == "6.5.2"
    assert early.latest(["6.5.0", "6.6.0-rc.1"]) == "6.6.0-rc.1"


def test_the_page_lists_the_functions_of_commit_templates_that_there_are() -> None:
    (listed,) = re.findall(r"Functions of `messageTemplate`: ([^.]*)\.", IMAGES)
    assert re.findall(r"`(\w+)`", listed) == sorted(FUNCTIONS)
