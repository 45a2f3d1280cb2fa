"""The commit message of an ImageUpdateAutomation: its template over what was changed.

Rule: https://fluxcd.io/flux/components/image/imageupdateautomations/#message-template. `.Changed.Objects` and
`.Changed.FileChanges` come in the order of their keys, `.Changed.Changes` in the order of files and lines, each
once. `.Updated` and `.Changed.ImageResult`, which Flux has removed, are errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from weir.edit.changes import Change
from weir.edit.template import render_template
from weir.edit.template_syntax import TemplateError
from weir.edit.template_values import Record
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId

DEFAULT: Final = "Update from image update automation"
"""The message of an automation that has no template."""
FIELD: Final = "spec.git.commit.messageTemplate"
STEPS: Final = 50_000
STEPS_OF_A_CHANGE: Final = 100
"""What a template may take in all, and for each change beyond; Flux's sample takes about 20 for one."""
_Key = TypeVar("_Key", str, tuple[str, str, str, str])


def render_message(
    template: str, automation: UnitId, changes: Iterable[Change], values: Mapping[str, str], where: str
) -> str:
    """The message that a template gives; `values` are its `messageTemplateValues`, `where` is for errors.

    Raises:
        SpecError: the template cannot be read, asks for what is not there, or prints too much.
    """
    known = tuple(changes)
    name = f"{automation.namespace}/{automation.name}"
    changed = Record("changes", Changes=_changes(known), Objects=_objects(known), FileChanges=_files(known))
    data = Record(
        "",
        AutomationObject=Record(name, Name=automation.name, Namespace=automation.namespace),
        Changed=changed,
        Values={key: values[key] for key in sorted(values)},
    )
    try:
        return render_template(template or DEFAULT, data, STEPS + STEPS_OF_A_CHANGE * len(known))
    except TemplateError as err:
        hint = "see https://fluxcd.io/flux/components/image/imageupdateautomations/#message-template"
        message = f"{where}: {FIELD}: found {err}, expected a template for commit messages"
        raise SpecError(message, hint=hint) from err


def _changes(changes: Iterable[Change]) -> list[Record]:
    once = dict.fromkeys((change.old, change.new, change.setter) for change in changes)
    return [
        Record(f"{{{old} {new} {setter}}}", OldValue=old, NewValue=new, Setter=setter)
        for old, new, setter in once
    ]


def _objects(changes: Iterable[Change]) -> dict[Record, list[Record]]:
    def key(change: Change) -> tuple[str, str, str, str]:
        found = change.object
        return change.api_version, found.kind, found.name, found.namespace

    return {_object(*one): _changes(own) for one, own in _grouped(changes, key)}


def _object(version: str, kind: str, name: str, namespace: str) -> Record:
    shown = "/".join(part for part in (kind, namespace, name) if part)
    return Record(shown, APIVersion=version, Kind=kind, Name=name, Namespace=namespace)


def _files(changes: Iterable[Change]) -> dict[str, dict[Record, list[Record]]]:
    return {file: _objects(own) for file, own in _grouped(changes, lambda change: change.file)}


def _grouped(changes: Iterable[Change], key: Callable[[Change], _Key]) -> list[tuple[_Key, list[Change]]]:
    """The changes of each key in the order that they have, by the order of the keys."""
    groups: dict[_Key, list[Change]] = {}
    for change in changes:
        groups.setdefault(key(change), []).append(change)
    return [(one, groups[one]) for one in sorted(groups)]
