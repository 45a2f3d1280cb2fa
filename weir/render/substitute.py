"""Variables put into rendered objects after the build (spec.postBuild).

Rule: https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution, strict: a variable
without value and default is an error. The text that is substituted is the YAML of one object, so `replicas: ${n}`
becomes a number, and `${quote}` around it, with the value `"`, keeps it a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from weir.render.emit import to_yaml
from weir.render.expressions import ExpressionError, Opaque, UndefinedError, expand
from weir.spec.documents import Document, load_yaml
from weir.spec.errors import RenderError, SpecError
from weir.spec.kustomization import KustomizationSpec

UNKNOWN: Final[str] = Opaque("<unknown>")
"""The value of a variable that will only be known during an update; it is used as this very object."""

DISABLED: Final = "kustomize.toolkit.fluxcd.io/substitute"
"""Label or annotation with the value `disabled`: the object is left as it is."""

NAME: Final = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*", re.ASCII)
"""A variable's name."""


class SecretText(str):
    """A variable's value that must not be shown, wherever it came from."""

    __slots__ = ()


LookUp = Callable[[str, str, str], Mapping[str, str] | None]
"""Values of a ConfigMap, Secret, StackOutput or StackConfig by kind, namespace and name; None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable."""

    value: str
    """Without line breaks; `UNKNOWN` when it is not known yet."""
    secret: bool
    origin: str
    """Where it comes from, as a person would say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Substituted:
    """Documents with their variables put in."""

    documents: tuple[Document, ...]
    secret: frozenset[int]
    """Positions of the documents that hold a secret variable's value now."""
    warnings: tuple[str, ...]


def collect_variables(spec: KustomizationSpec, lookup: LookUp) -> dict[str, Variable]:
    """All variables of a unit: `substituteFrom` in order, the later entry counts, and above them `substitute`.

    Raises:
        RenderError: an entry does not exist and is not optional, or one of its keys is no variable name.
    """
    found: dict[str, Variable] = {}
    for source in spec.substitute_from:
        origin = f"{source.kind}/{source.name}"
        values = lookup(source.kind, spec.id.namespace, source.name)
        if values is None and not source.optional:
            hint = "create it, correct the name, or set optional: true"
            problem = f"found no {origin} in namespace {spec.id.namespace}"
            raise RenderError(f"spec.postBuild.substituteFrom: {problem}", hint=hint)
        found |= _variables(values or {}, origin, secret=source.kind == "Secret")
    return found | _variables(spec.substitute, "spec.postBuild.substitute", secret=False)


def _variables(values: Mapping[str, str], origin: str, *, secret: bool) -> dict[str, Variable]:
    found = {}
    for name, value in values.items():
        if not NAME.fullmatch(name):
            hint = "rename the key: letters, digits and '_', not starting with a digit"
            raise RenderError(f"{origin}: found the key {name!r}, expected the name of a variable", hint=hint)
        plain = value if value is UNKNOWN else value.replace("\n", "")
        found[name] = Variable(value=plain, secret=secret or isinstance(value, SecretText), origin=origin)
    return found


def substitute(
    documents: Sequence[Document], variables: Mapping[str, Variable], *, always: bool = False
) -> Substituted:
    """The documents with all expressions replaced; without variables they are left alone unless `always`.

    Raises:
        RenderError: an undefined variable, an expression that is not supported, or a result that is no object; names
            the variable, the object and its file.
    """
    if not variables and not always:
        return Substituted(documents=tuple(documents), secret=frozenset(), warnings=())
    done: list[Document] = []
    secret: set[int] = set()
    warnings: list[str] = []
    for index, document in enumerate(documents):
        if not _has_expression(document.data) or _is_disabled(document.data):
            done.append(document)
            continue
        used: dict[str, Variable] = {}
        done.append(Document(document.file, document.index, _substitute_one(document, variables, used)))
        if any(variable.secret for variable in used.values()):
            secret.add(index)
        warnings.extend(_unknowns(document, used))
    return Substituted(documents=tuple(done), secret=frozenset(secret), warnings=tuple(warnings))


def _has_expression(data: dict[str, Any]) -> bool:
    text = orjson.dumps(data)
    return b"${" in text or b"$$" in text


def _is_disabled(data: dict[str, Any]) -> bool:
    meta = data.get("metadata")
    maps = [meta.get(key) for key in ("labels", "annotations")] if isinstance(meta, dict) else []
    return any(isinstance(values, dict) and values.get(DISABLED) == "disabled" for values in maps)


def _substitute_one(
    document: Document, variables: Mapping[str, Variable], used: dict[str, Variable]
) -> dict[str, Any]:
    def lookup(name: str) -> str | None:
        variable = variables.get(name)
        if variable is None:
            return None
        used[name] = variable
        return variable.value

    try:
        text = expand(to_yaml(document.data), lookup)
    except UndefinedError as err:
        hint = "define it in spec.postBuild, give it a default as in ${name:=value}, or write $${name}"
        raise RenderError(f"{document.where}: {err}", hint=hint) from err
    except ExpressionError as err:
        hint = f"correct it, or label the object {DISABLED}: disabled"
        if document.data.get("kind") == "Secret":
            raise RenderError(
                f"{document.where}: an expression in it cannot be substituted", hint=hint
            ) from None
        raise RenderError(f"{document.where}: {err}", hint=hint) from err
    return _read_back(text, document, used)


def _read_back(text: str, document: Document, used: Iterable[str]) -> dict[str, Any]:
    names = ", ".join(sorted(used))
    try:
        values = load_yaml(text, document.where, old_booleans=True).values
    except SpecError:
        # the text may hold a secret value, so what the reader says about it stays out
        hint = "put quotes around the expression, or change the value"
        problem = f"the variables {names} make it unreadable as YAML"
        raise RenderError(f"{document.where}: {problem}", hint=hint) from None
    if len(values) != 1 or not isinstance(values[0], dict):
        raise RenderError(f"{document.where}: the variables {names} make it something else than one object")
    return values[0]


def _unknowns(document: Document, used: Mapping[str, Variable]) -> list[str]:
    names = sorted(name for name, variable in used.items() if variable.value is UNKNOWN)
    return [f"{document.where}: {name} from {used[name].origin} is not known yet" for name in names]
