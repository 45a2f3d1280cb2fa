"""Which units a webhook asks for: the resources of its Receiver, and the CEL that has to be true of them.

Rule: https://fluxcd.io/flux/components/notification/receivers/#filtering-reconciled-objects-with-cel
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from weir.objects.cel import compile_check, evaluate
from weir.spec.errors import SpecError
from weir.spec.header import Header
from weir.spec.identity import UnitId
from weir.spec.receiver import KINDS, OIDC, ReceiverSpec

VARIABLES: Final = ("res", "req")
"""What a filter sees: the unit's metadata, and the body."""
CLAIMS: Final = "claims"
"""What it sees of the sender beside them, for type OIDC."""
VARS: Final = "vars"
"""What expressions over claims see beside these: the variables before them."""
MOST_VALUES: Final = 1_000_000
"""Values that the filters of one webhook look at: those of the body, for each unit that is meant."""
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


def check_receiver(spec: ReceiverSpec, *, same_namespace: bool) -> None:
    """Return when every expression of a receiver can be evaluated, and it asks for no units that it must not.

    `same_namespace`: whether those of other namespaces are such (the stack's option `noCrossNamespaceRefs`).

    Raises:
        SpecError: names the field.
    """
    variables = (*VARIABLES, CLAIMS) if spec.type == OIDC else VARIABLES
    with _named(spec):
        for expr in filter(None, (spec.resource_filter, *(item.filter for item in spec.resources))):
            compile_check(expr, variables)
        for provider in spec.providers:
            computed = [item.expression for item in provider.variables]
            for expr in (*computed, *(item.expression for item in provider.validations)):
                compile_check(expr, (CLAIMS, VARS))
    for index, item in enumerate(spec.resources):
        if same_namespace and item.namespace != spec.id.namespace:
            raise SpecError.at(
                spec.where,
                f"spec.resources[{index}].namespace",
                found=item.namespace,
                expected=f"{spec.id.namespace} (noCrossNamespaceRefs is set)",
            )


def targets(
    spec: ReceiverSpec,
    units: Mapping[UnitId, Header],
    payload: Mapping[str, Any],
    claims: Mapping[str, Any] = _NONE,
) -> tuple[UnitId, ...]:
    """The units that a webhook with this body asks for, in order, each once; `claims` are those of its sender.

    Raises:
        SpecError: a filter cannot be evaluated over this body.
    """
    found: set[UnitId] = set()
    looked_at, size = 0, _size(payload) + _size(claims)
    for item in spec.resources:
        filters = [expr for expr in (spec.resource_filter, item.filter) if expr]
        for unit, header in units.items():
            if unit in found or not item.means(unit, header.labels):
                continue
            looked_at += size * bool(filters)
            _check_size(spec, looked_at)
            if all(_holds(spec, expr, header, {"req": payload, CLAIMS: claims}) for expr in filters):
                found.add(unit)
    return tuple(sorted(found))


@contextlib.contextmanager
def _named(spec: ReceiverSpec) -> Iterator[None]:
    """Errors of expressions with the name of their receiver."""
    try:
        yield
    except SpecError as err:
        raise SpecError(f"{spec.where}: {err.message}", hint=err.hint) from err


def _holds(spec: ReceiverSpec, expr: str, header: Header, sent: Mapping[str, Mapping[str, Any]]) -> bool:
    unit = header.id
    metadata = {
        "name": unit.name,
        "namespace": unit.namespace,
        "labels": header.labels,
        "annotations": header.annotations,
    }
    resource = {"kind": unit.kind, "apiVersion": f"{KINDS[unit.kind]}/v1", "metadata": metadata}
    try:
        with _named(spec):
            return evaluate(expr, {"res": resource, **{name: dict(value) for name, value in sent.items()}})
    except (ValueError, OverflowError, RecursionError):  # numbers and depths that CEL's values cannot hold
        raise SpecError.at(
            spec.where,
            "filter",
            found="a body with numbers or depths that CEL has not",
            expected="a plain one",
        ) from None


def _check_size(spec: ReceiverSpec, values: int) -> None:
    if values > MOST_VALUES:
        hint = "name fewer units, or let the sender send less"
        raise SpecError.at(
            spec.where,
            "filter",
            found=f"over {MOST_VALUES} values to look at",
            expected="a smaller body, or fewer units",
            hint=hint,
        )


def _size(payload: Mapping[str, Any]) -> int:
    """How many values a body holds."""
    count = 0
    stack: list[Any] = [payload]
    while stack:
        value = stack.pop()
        count += 1
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    return count
