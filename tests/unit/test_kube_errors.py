"""Texts of the API server: complete for plain objects, without values for secret ones."""

from __future__ import annotations

import base64
import pickle

import pytest

from weir.edges.kube.errors import KubeStatusError, describe, masked, status_error

VALUE = "s3cr3t-canary/+value"


def failure(
    message: str, *fields: tuple[str, str], code: int = 422, reason: str = "Invalid"
) -> KubeStatusError:
    causes = [{"field": field, "message": text, "reason": "FieldValueInvalid"} for field, text in fields]
    body = {
        "kind": "Status",
        "message": message,
        "reason": reason,
        "details": {"name": "x", "causes": causes},
    }
    return status_error(code, body, "PATCH /api/v1/namespaces/a/configmaps/x")


def test_fields_are_named_one_by_one() -> None:
    error = failure(
        'Deployment.apps "x" is invalid: [...]',
        ("spec.replicas", "Invalid value: -1: must be greater than or equal to 0"),
        ("spec.selector", "Required value"),
    )
    assert describe(error) == (
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0; spec.selector: Required value"
    )


def test_internals_of_the_server_are_left_out() -> None:
    error = failure(
        "failed to create typed patch object (a/x; /v1, Kind=ConfigMap): .data.n: expected string, "
        "got &value.valueUnstructured{Value:5}",
        code=500,
        reason="",
    )
    assert describe(error) == ".data.n: expected string, got 5"
    assert describe(error, confidential=True) == ".data.n: expected string, got ***"


@pytest.mark.parametrize(
    "form",
    [
        VALUE,
        base64.b64encode(VALUE.encode()).decode(),
        "s3cr3t-canary%2F%2Bvalue",
        f'{{"password":"{VALUE}"}}',
        f"first line\n{VALUE}",
    ],
)
def test_known_values_go_in_every_form(form: str) -> None:
    text = masked(
        f"admission webhook denied the request: {form} is too weak", [f"first line\n{VALUE}", VALUE]
    )
    assert "canary" not in text
    assert VALUE not in text
    assert base64.b64encode(VALUE.encode()).decode() not in text
    assert "is too weak" in text


def test_values_that_nobody_knows_go_by_their_form() -> None:
    text = masked(
        'data.k: Invalid value: "hunter2": bad; rest aHVudGVyMmh1bnRlcjJodW50ZXIy', confidential=True
    )
    assert text == "data.k: Invalid value: ***: bad; rest ***"


@pytest.mark.parametrize(
    ("text", "immutable"),
    [
        ("field is immutable", True),
        ("Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden", True),
        ("Invalid value: 1: may not change once set", True),
        ("must be between 1 and 65535, inclusive", False),
    ],
)
def test_immutable_is_told_by_every_named_field(text: str, immutable: bool) -> None:
    assert failure("m", ("spec.a", text)).immutable is immutable
    assert not failure("m", ("spec.a", text), ("spec.b", "Required value")).immutable


def test_a_404_of_an_object_is_not_that_of_its_api() -> None:
    assert failure("not found", code=404, reason="NotFound").absent
    assert not status_error(404, "404 page not found\n", "GET /x").absent
    bare = {
        "kind": "Status",
        "reason": "NotFound",
        "details": {},
        "message": "could not find the requested resource",
    }
    assert not status_error(404, bare, "GET /x").absent


def test_errors_survive_worker_processes() -> None:
    error = pickle.loads(pickle.dumps(failure("m", ("spec.a", "Required value"))))
    assert (error.status, error.reason, error.causes[0].field) == (422, "Invalid", "spec.a")


def test_secrets_endpoint_is_masked_at_the_door() -> None:
    body = {"kind": "Status", "message": 'data.k: Invalid value: "hunter2": bad', "reason": "Invalid"}
    assert "hunter2" not in str(status_error(422, body, "PATCH /api/v1/namespaces/a/secrets/x"))
