"""What one ImageUpdateAutomation writes: files in, edited files out, with what was changed, and why not.

Rules: https://fluxcd.io/flux/components/image/imageupdateautomations/#update and, for workloads without markers,
https://github.com/fluxcd/flux/blob/master/docs/references/automated-image-update.md
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Protocol

from weir.edit.automated import edit_automated
from weir.edit.changes import Change, Edited
from weir.edit.image import Image
from weir.edit.markers import edit_markers
from weir.edit.message import render_message
from weir.edit.namespaces import given_namespaces
from weir.edit.workload import Container, Workload
from weir.flow.image_choice import Choice
from weir.flow.workload_images import ChooseFor, container_of
from weir.spec.errors import SpecError, StopRequested, WeirError
from weir.spec.image_automation import ImageAutomationSpec
from weir.spec.image_policy import ImagePolicySpec

_ENDINGS: Final = (".yaml", ".yml")
_NAME: Final = "Kustomization"


class Files(Protocol):
    """The files of one commit."""

    def files(self, prefix: str) -> tuple[str, ...]:
        """The paths of all files below a folder, with forward slashes; all there are for the empty one."""
        ...

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        ...


class Policy(Protocol):
    """An ImagePolicy that is ready to choose."""

    @property
    def spec(self) -> ImagePolicySpec:
        """Its document."""
        ...

    @property
    def name(self) -> str:
        """The name of its images."""
        ...

    def choose(self, current: Image | None) -> Choice:
        """What should be used where `current` is in use."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEdits:
    """Everything that an automation wants to have committed."""

    files: Mapping[str, bytes]
    """The new bytes of each file that changes; empty when there is nothing to commit."""
    changes: tuple[Change, ...]
    """In the order of files and lines."""
    problems: tuple[WeirError, ...]
    """What could not be followed: a file, a marker, a policy. The others were."""
    notes: tuple[str, ...]
    """For people, one sentence each: what stays as it is although something is wrong or waits."""
    message: str
    """Of the commit; empty when there is nothing to commit."""


def edit_images(
    base: Files, automation: ImageAutomationSpec, policies: Mapping[str, Policy], choose_for: ChooseFor
) -> ImageEdits:
    """The edits of an automation over the files of a commit. Equal answers of the policies make equal bytes.

    `policies` are those that can choose, by `namespace:name`; only those count that are in the automation's namespace
    and that its policySelector matches. `choose_for` is asked when the automation also follows Flux 1's annotations.

    Raises:
        SpecError: `spec.update.path` does not exist, or the message template cannot be followed.
        StopRequested: the run was cancelled.
    """
    paths = _paths(base, automation)
    run = _Run(base, automation, policies, choose_for)
    for path in paths:
        run.edit(path)
    changes = tuple(sorted(run.changes, key=lambda change: (change.file, change.line)))
    return ImageEdits(
        files=run.files,
        changes=changes,
        problems=tuple(run.problems.values()),
        notes=tuple(run.notes),
        message=_message(automation, changes) if run.files else "",
    )


def _paths(base: Files, automation: ImageAutomationSpec) -> list[str]:
    """The files that may be edited. Raises SpecError when the path leads nowhere."""
    folder = automation.path
    found = [path for path in base.files(folder) if not folder or f"{path}/".startswith(f"{folder}/")]
    if folder and not found:
        expected = "a folder of the branch that is checked out"
        hint = "correct the path, or commit the folder first"
        raise SpecError.at(automation.where, "spec.update.path", found=folder, expected=expected, hint=hint)
    wanted = (path for path in found if path.endswith(_ENDINGS) or posixpath.basename(path) == _NAME)
    # files of one ending together: in that order a commit reads them ahead
    return sorted(wanted, key=lambda path: (posixpath.splitext(path)[1], path))


def _message(automation: ImageAutomationSpec, changes: Iterable[Change]) -> str:
    """The commit message. Flux's templates see file names below `spec.update.path`."""
    folder = automation.path
    shown = (
        replace(
            change,
            file=posixpath.basename(change.file)
            if change.file == folder
            else change.file.removeprefix(f"{folder}/"),
        )
        for change in changes
    )
    return render_message(
        automation.message_template, automation.id, shown, automation.message_values, automation.where
    )


class _Run:
    """One automation on its way through the files."""

    def __init__(
        self,
        base: Files,
        automation: ImageAutomationSpec,
        policies: Mapping[str, Policy],
        choose_for: ChooseFor,
    ) -> None:
        self.files: dict[str, bytes] = {}
        self.changes: list[Change] = []
        self.problems: dict[str, WeirError] = {}
        self.notes: dict[str, None] = {}
        self._base = base
        self._automation = automation
        self._choose_for = choose_for
        self._all = policies
        self._policies = {key: policy for key, policy in policies.items() if self._counts(policy)}
        self._names = {key: policy.name for key, policy in self._policies.items()}

    def edit(self, path: str) -> None:
        """Edit one file; what is wrong with it is a problem."""
        before = data = self._base.read(path)
        followed: Collection[int] = ()
        edited = self._tried(lambda: edit_markers(before, path, self._names, self._choose))
        if edited:
            data, followed = edited.data, edited.followed
            for line, policy in edited.unknown:
                if self._is_ours(policy):
                    note = f"{path}: line {line}: {policy} is not followed: no such policy can choose"
                    self.notes[note] = None
        if self._automation.workloads:
            edited = self._tried(lambda: edit_automated(data, path, self._chooser(path), followed))
            data = edited.data if edited else data
        if data != before:
            self.files[path] = data

    def _tried(self, edit: Callable[[], Edited]) -> Edited | None:
        """What an edit did, None when the file cannot be edited at all."""
        try:
            edited = edit()
        except SpecError as problem:
            self.problems[str(problem)] = problem
            return None
        self.changes += edited.changes
        self.problems |= {str(problem): problem for problem in edited.problems}
        return edited

    def _counts(self, policy: Policy) -> bool:
        spec, automation = policy.spec, self._automation
        own = spec.id.namespace == automation.id.namespace
        return own and automation.policy_selector.matches(spec.labels)

    def _is_ours(self, policy: str) -> bool:
        """Whether nobody but this automation could follow a policy that is not there."""
        return policy.partition(":")[0] == self._automation.id.namespace and policy not in self._all

    def _choose(self, policy: str, current: Image | None) -> Image | None:
        found = self._policies[policy]
        return self._chosen(str(found.spec.id), lambda: found.choose(current))

    def _chooser(self, path: str) -> Callable[[Workload, Container], Image | None]:
        def choose(workload: Workload, container: Container) -> Image | None:
            def choice() -> Choice:
                namespace = workload.id.namespace or self._namespace(path)
                return self._choose_for(container_of(path, namespace, workload, container))

            return self._chosen(f"{path}: {workload.id}: {container.name}", choice)

        return choose

    def _chosen(self, who: str, choose: Callable[[], Choice]) -> Image | None:
        """The image of a choice, None when there is none or it cannot be made."""
        try:
            choice = choose()
        except StopRequested:
            raise
        except WeirError as problem:
            self.problems[str(problem)] = problem
            return None
        said = filter(None, (choice.decision.reason, *choice.warnings))
        self.notes |= dict.fromkeys(f"{who}: {text}" for text in said)
        return choice.image

    def _namespace(self, path: str) -> str:
        """Of the workloads in a file that name none."""
        return min(self._namespaces.get(path, ()), default=self._automation.id.namespace)

    @cached_property
    def _namespaces(self) -> Mapping[str, frozenset[str]]:
        return given_namespaces(self._base.files(""), self._base.read)
