"""Admission policies of the real API server that refuse things in one namespace, and are known to be in force."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Any

from demo.rest import Rest, RestError
from tests.support.kube import wait_for

_REFUSED = 422
_FORBIDDEN = 403


@contextlib.contextmanager
def denied(
    rest: Rest, namespace: str, expression: str, *, on: str = "CREATE", echo: str = ""
) -> Iterator[None]:
    """Refuse requests for ConfigMaps and Secrets of a namespace unless a CEL expression holds.

    It may speak of `object`, `oldObject` and `request`.
    The expression must refuse objects named `probe` as well: they are how its beginning and its end are noticed.

    Args:
        rest: an administrator's client.
        namespace: the only namespace concerned.
        expression: CEL; true lets the request pass.
        on: CREATE, UPDATE or DELETE.
        echo: CEL for the message of the refusal, which may repeat what is in the object.
    """
    name = f"denied-{secrets.token_hex(4)}"
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": [on],
        "resources": ["configmaps", "secrets"],
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    policy = _policy(name, {"resourceRules": [rule], "namespaceSelector": selector}, expression, echo)
    binding = _binding(name)
    rest.apply(policy)
    rest.apply(binding)
    try:
        wait_for(lambda: _refuses(rest, namespace, on), seconds=30, every=0.2)
        yield
    finally:
        for obj in (binding, policy):
            rest.delete(obj["apiVersion"], obj["kind"], "", name)
        wait_for(lambda: not _refuses(rest, namespace, on), seconds=30, every=0.2)
        rest.delete("v1", "ConfigMap", namespace, "probe")


def _policy(name: str, match: dict[str, Any], expression: str, echo: str) -> dict[str, Any]:
    validation = {"expression": expression, "message": "the test's policy says no"}
    if echo:
        validation["messageExpression"] = echo
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": match,
            "validations": [validation],
        },
    }


def _binding(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }


def _refuses(rest: Rest, namespace: str, on: str) -> bool:
    """Whether the policy is in force, by doing what it refuses to an object named `probe`."""
    probe = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe", "namespace": namespace}}
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    try:
        if on == "CREATE":
            rest.delete("v1", "ConfigMap", namespace, "probe")
            rest.request("POST", path, probe)
        elif on == "UPDATE":
            rest.apply(probe)
            rest.patch(probe, {"data": {"random": secrets.token_hex(4)}})
        else:
            rest.apply(probe)
            rest.request("DELETE", f"{path}/probe")
    except RestError as err:
        if err.status not in {_REFUSED, _FORBIDDEN}:
            raise
        return True
    return False
