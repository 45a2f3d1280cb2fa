"""Variables put into rendered objects after the build (spec.postBuild).

Rule: https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution, strict: a variable
without value and default is an error. The text that is substituted is the YAML of one object, so `replicas: ${n}`
becomes a number, and `${quote}` around it, with the value `"`, keeps it a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from weir.render.emit import to_yaml
from weir.render.expressions import ExpressionError, Opaque, UndefinedError, expand
from weir.spec.documents import Document, load_yaml
from weir.spec.errors import RenderError, SpecError
from weir.spec.kustomization import KustomizationSpec

UNKNOWN: Final[str] = Opaque("<unknown>")
"""The value of a variable that will only be known during an update; it is used as this very object."""

OTHERS: Final = "*"
"""Key of a look-up's answer, with the value `UNKNOWN`, that stands for all that the source may hold besides."""

DISABLED: Final = "kustomize.toolkit.fluxcd.io/substitute"
"""Label or annotation with the value `disabled`: the object is left as it is."""

NAME: Final = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*", re.ASCII)
"""A variable's name."""


def output_variables(outputs: Mapping[str, object]) -> dict[str, str]:
    """Outputs of a Pulumi stack as variables: texts as they are, other values as JSON.

    Outputs whose names no variable can have are left out.
    """
    named = {key: value for key, value in outputs.items() if NAME.fullmatch(key)}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in named.items()}


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
    """One for each variable that is not known yet."""


def collect_variables(spec: KustomizationSpec, lookup: LookUp) -> dict[str, Variable]:
    """All variables of a unit: `substituteFrom` in order, the later entry counts, and above them `substitute`.

    `OTHERS` among them stands for every name that is not; only what has no default takes its value.

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
        new = _variables(values or {}, origin, secret=source.kind == "Secret")
        if OTHERS in new and OTHERS in found:
            new[OTHERS] = replace(new[OTHERS], origin=f"{found[OTHERS].origin} or {origin}")
        found |= new
    return found | _variables(spec.substitute, "spec.postBuild.substitute", secret=spec.confidential)


def _variables(values: Mapping[str, str], origin: str, *, secret: bool) -> dict[str, Variable]:
    found = {}
    for name, value in values.items():
        others = name == OTHERS and value is UNKNOWN
        if not others and not NAME.fullmatch(name):
            hint = "rename the key: letters, digits and '_', not starting with a digit"
            raise RenderError(f"{origin}: found the key {name!r}, expected the name of a variable", hint=hint)
        plain = value if value is UNKNOWN else value.replace("\n", "")
        # what nobody knows may be a secret
        hidden = secret or others or isinstance(value, SecretText)
        found[name] = Variable(value=plain, secret=hidden, origin=origin)
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
    unknown: dict[str, Variable] = {}
    for index, document in enumerate(documents):
        if not _has_expression(document.data) or _is_disabled(document.data):
            done.append(document)
            continue
        used: dict[str, Variable] = {}
        done.append(Document(document.file, document.index, _substitute_one(document, variables, used)))
        if any(variable.secret for variable in used.values()):
            secret.add(index)
        unknown |= {name: variable for name, variable in used.items() if variable.value is UNKNOWN}
    return Substituted(documents=tuple(done), secret=frozenset(secret), warnings=_unknowns(unknown))


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
    values = _Values(variables, used)
    try:
        text = expand(to_yaml(document.data), values.get, values.otherwise)
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


class _Values:
    """The values of one document; notes in `used` which variables they depend on."""

    def __init__(self, variables: Mapping[str, Variable], used: dict[str, Variable]) -> None:
        self.variables, self.used = variables, used
        self.others = variables.get(OTHERS)

    def get(self, name: str) -> str | None:
        """The value, None for the expression's default: in its place may stand what nobody knows."""
        if name in self.variables:
            self.used[name] = self.variables[name]
            return self.used[name].value
        if self.others:
            self.used.setdefault(name, replace(self.others, value=""))
        return None

    def otherwise(self, name: str) -> str | None:
        """The value of what has no default either."""
        if self.others is None:
            return None
        self.used[name] = self.others
        return self.others.value


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


def _unknowns(used: Mapping[str, Variable]) -> tuple[str, ...]:
    return tuple(
        f"{name} from {variable.origin} is not known yet, {UNKNOWN} stands for it"
        for name, variable in sorted(used.items())
    )
