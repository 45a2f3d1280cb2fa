"""The judge itself: it must see what is wrong, and not see what Kubernetes merely writes differently."""

from __future__ import annotations

import pytest

from tests.support.containment import missing

SAME = [
    ({"cpu": "1000m"}, {"cpu": "1"}),
    ({"memory": "1Gi"}, {"memory": "1024Mi"}),
    ({"replicas": None}, {"replicas": 3}),
    ({"emptyDir": {}}, {}),
    ({"a": [1, 2]}, {"a": [1, 2], "b": "defaulted"}),
    (
        {"env": [{"name": "B", "value": "2"}, {"name": "A"}]},
        {"env": [{"name": "A", "x": 1}, {"name": "B", "value": "2"}]},
    ),
    ({"ports": [{"port": 80}]}, {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]}),
    ({"kind": "Secret", "stringData": {"a": "b"}}, {"kind": "Secret", "data": {"a": "Yg=="}}),
]
DIFFERENT = [
    ({"cpu": "1000m"}, {"cpu": "2"}),
    ({"replicas": 2}, {"replicas": 3}),
    ({"flag": True}, {"flag": "true"}),
    ({"text": "1"}, {"text": None}),
    ({"a": [1, 2]}, {"a": [1]}),
    ({"a": [1, 2]}, {"a": [2, 1]}),
    ({"env": [{"name": "A"}]}, {"env": [{"name": "B"}]}),
    ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "2"}]}),
    ({"data": {"key": "value"}}, {}),
    ({"kind": "Secret", "stringData": {"a": "b"}}, {"kind": "Secret", "data": {"a": "Yw=="}}),
]


@pytest.mark.parametrize(("desired", "live"), SAME)
def test_what_the_server_only_writes_differently_is_contained(desired: object, live: object) -> None:
    assert list(missing(desired, live, ())) == []


@pytest.mark.parametrize(("desired", "live"), DIFFERENT)
def test_a_difference_is_seen(desired: object, live: object) -> None:
    assert list(missing(desired, live, ()))


def test_the_sentence_names_the_field() -> None:
    desired = {"spec": {"containers": [{"name": "web", "image": "a:2"}]}}
    live = {"spec": {"containers": [{"name": "web", "image": "a:1"}]}}
    assert list(missing(desired, live, ())) == ["spec.containers.web.image: wanted 'a:2', is 'a:1'"]
