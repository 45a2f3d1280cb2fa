"""A workload by its name in Flux 1's spelling, found among the files of a repository.

The text of a manifest need not name its namespace: a kustomization may give one, and so may the folder, by its name, in
a repository that is grouped by namespace.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

from weir.edit.image_places import KINDS
from weir.edit.namespaces import given_namespaces
from weir.edit.workload import Workload, read_workloads
from weir.spec.errors import SpecError
from weir.spec.fields import NAME

_FORM: Final = re.compile(r"([^:/]+):([^:/]+)/([^:/]+)")
_ENDINGS: Final = (".yaml", ".yml")
_MOST_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class WorkloadName:
    """`namespace:kind/name`, such as `prod:deployment/web`."""

    namespace: str
    kind: str
    """As Kubernetes writes it: `Deployment`."""
    name: str

    @classmethod
    def parse(cls, text: str) -> WorkloadName:
        """Read a name; letters of the kind may be small or large. Raises SpecError."""
        form = _FORM.fullmatch(text)
        kinds = {kind.lower(): kind for kind in KINDS}
        if (
            form is None
            or form[2].lower() not in kinds
            or not (NAME.fullmatch(form[1]) and NAME.fullmatch(form[3]))
        ):
            hint = f"such as prod:deployment/web; kinds are {', '.join(kinds)}"
            raise SpecError.at("workload", "", found=text, expected="namespace:kind/name", hint=hint)
        return cls(form[1], kinds[form[2].lower()], form[3])

    def __str__(self) -> str:
        """Flux 1's spelling."""
        return f"{self.namespace}:{self.kind.lower()}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A workload in its file."""

    name: WorkloadName
    file: str
    data: bytes
    """Of the whole file."""
    workload: Workload


def find_workload(paths: Collection[str], read: Callable[[str], bytes], wanted: WorkloadName) -> Found:
    """The one workload of that name; `paths` are all files there are.

    A manifest without a namespace counts when a kustomization gives it that one. Where none gives any, it counts when
    it is the only one, or the only one in a folder that is called like the namespace.

    Raises:
        SpecError: there is none, or there are several; lists those that may be meant.
    """
    named = list(_named(paths, read, wanted))
    given = given_namespaces(paths, read) if any(not one.workload.id.namespace for one in named) else {}
    sure, perhaps = [], []
    for one in named:
        namespace = one.workload.id.namespace
        if wanted.namespace in ({namespace} if namespace else given.get(one.file, ())):
            sure.append(one)
        elif not namespace and one.file not in given:
            perhaps.append(one)
    foldered = [one for one in perhaps if wanted.namespace in one.file.split("/")[:-1]]
    found = sure or foldered or perhaps
    if len(found) != 1:
        raise _not_one(wanted, found, named)
    return found[0]


def _named(paths: Collection[str], read: Callable[[str], bytes], wanted: WorkloadName) -> Iterator[Found]:
    """The workloads of that kind and name in any namespace. A file that cannot be read has none."""
    for path in sorted(path for path in paths if path.endswith(_ENDINGS)):
        data = read(path)
        if wanted.name.encode() not in data:
            continue
        try:
            workloads = read_workloads(data, path)
        except SpecError:
            continue
        for workload in workloads:
            if (workload.id.kind, workload.id.name) == (wanted.kind, wanted.name):
                yield Found(name=wanted, file=path, data=data, workload=workload)


def _not_one(wanted: WorkloadName, found: Collection[Found], named: Collection[Found]) -> SpecError:
    shown = [f"{one.workload.id} in {one.file}" for one in found or named][:_MOST_SHOWN]
    listed = ", ".join(shown)
    if found:
        hint = f"there are {listed}: write their namespaces into the manifests"
    else:
        hint = f"there is only {listed}" if listed else "check the spelling and the branch"
    what = f"it {len(found)} times" if found else None
    return SpecError.at(str(wanted), "", found=what, expected="one manifest", hint=hint)
