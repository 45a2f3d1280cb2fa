"""Laws of weir.objects."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.property import object_strategies as some
from weir.objects import managed
from weir.objects.diff import CUT, field_changes
from weir.objects.graph import order
from weir.objects.health import health
from weir.objects.labels import matches
from weir.objects.normal import normalise
from weir.objects.owned import Verdict, compare
from weir.objects.prune import to_prune
from weir.objects.rank import delete_order, sort_objects, stages
from weir.spec.errors import SpecError
from weir.spec.identity import ObjectId, UnitId

pytestmark = pytest.mark.property
CANARY = "c4n4ry-value"
law = settings(deadline=None)


class TestCompare:
    """ "SAME only when the live object certainly already has every desired field and weir owns exactly these"."""

    @law
    @given(some.specs)
    def test_right_after_an_apply_it_is_the_same(self, node: some.Node) -> None:
        assert compare(*some.pair(node)) is Verdict.SAME

    @law
    @given(some.specs, st.data())
    def test_a_change_of_any_owned_place_in_the_cluster_is_seen(
        self, node: some.Node, data: st.DataObject
    ) -> None:
        desired, live = some.pair(node)
        kind, path = data.draw(st.sampled_from(list(some.places(node))))
        where = some.live_path(desired, live, path)
        parent, old = some.at(live, where[:-1]), some.at(live, where)
        new = data.draw(some.atoms)
        assume(json.dumps(new) != json.dumps(old))
        if kind == "set":
            parent[where[-1]] = [item for item in old if item != old[-1]]
        elif kind == "element" or data.draw(st.booleans()):
            del parent[where[-1]]
        else:
            parent[where[-1]] = new
        assert compare(desired, live) is Verdict.UNSURE

    @law
    @given(some.specs, st.data())
    def test_a_change_of_any_place_in_git_is_seen(self, node: some.Node, data: st.DataObject) -> None:
        desired, live = some.pair(node)
        _, path = data.draw(st.sampled_from(list(some.places(node))))
        parent, old = some.at(desired, path[:-1]), some.at(desired, path)
        new = data.draw(some.atoms)
        assume(json.dumps(new) != json.dumps(old))
        if data.draw(st.booleans()):
            del parent[path[-1]]
        else:
            parent[path[-1]] = new
        assert compare(desired, live) is Verdict.UNSURE

    @law
    @given(some.specs, st.data(), some.keys, some.atoms)
    def test_a_new_field_in_git_is_seen(
        self, node: some.Node, data: st.DataObject, key: str, value: Any
    ) -> None:
        desired, live = some.pair(node)
        maps = [("spec",), *(path for kind, path in some.places(node) if kind == "element")]
        where = some.at(desired, data.draw(st.sampled_from(maps)))
        assume(key not in where)
        where[key] = value
        assert compare(desired, live) is Verdict.UNSURE

    @law
    @given(some.specs, st.data())
    def test_a_field_that_weir_lost_is_seen(self, node: some.Node, data: st.DataObject) -> None:
        desired, live = some.pair(node)
        entry = managed.applied(live)
        assert entry is not None
        path = data.draw(st.sampled_from(sorted(managed.leaves(entry["fieldsV1"]))))
        assume(path[-1][:2] in ("f:", "v:") and path[-1] != "f:name")
        some.forget(entry["fieldsV1"], path)
        assert compare(desired, live) is Verdict.UNSURE

    @law
    @given(some.specs, some.specs)
    def test_whatever_is_the_same_has_the_same_paths_and_values(
        self, one: some.Node, other: some.Node
    ) -> None:
        desired, live = some.pair(one)[0], some.pair(other)[1]
        if compare(desired, live) is Verdict.SAME:
            assert json.dumps(some.owned(one), sort_keys=True) == json.dumps(
                some.owned(other), sort_keys=True
            )
            assert json.dumps(some.written(one), sort_keys=True) == json.dumps(
                some.written(other), sort_keys=True
            )


class TestTries:
    """fieldsV1 as sets of paths."""

    @law
    @given(some.tries, some.tries)
    def test_a_union_holds_the_paths_of_both(self, one: some.Obj, other: some.Obj) -> None:
        assume(one and other)
        joined = set(managed.leaves(managed.union(one, other)))
        assert joined == set(managed.leaves(one)) | set(managed.leaves(other))

    @law
    @given(some.tries, some.tries)
    def test_a_union_is_the_same_either_way_and_twice(self, one: some.Obj, other: some.Obj) -> None:
        assert managed.union(one, other) == managed.union(other, one)
        assert managed.union(one, one) == one

    @law
    @given(some.specs)
    def test_what_was_applied_is_present(self, node: some.Node) -> None:
        desired, live = some.pair(node)
        trie = some.owned(node)
        assert managed.present(trie, live["spec"]) == trie
        assert managed.present({"f:absent": {}, **trie}, desired["spec"]) == trie


class TestDiff:
    """Field changes."""

    @law
    @given(some.specs)
    def test_an_object_does_not_differ_from_itself(self, node: some.Node) -> None:
        _, live = some.pair(node)
        assert field_changes(live, copy.deepcopy(live)) == ()

    @law
    @given(some.specs, some.specs)
    def test_objects_that_differ_show_it_within_the_limit(self, one: some.Node, other: some.Node) -> None:
        old, new = some.pair(one)[1], some.pair(other)[1]
        found = field_changes(old, new)
        assert bool(found) == (
            json.dumps(old["spec"], sort_keys=True) != json.dumps(new["spec"], sort_keys=True)
        )
        assert [change.path for change in found] == sorted(change.path for change in found)
        assert all(
            len(text) <= CUT for change in found for text in (change.old, change.new) if text is not None
        )

    @law
    @given(
        st.dictionaries(st.text(max_size=5), st.just(CANARY)),
        st.dictionaries(st.text(max_size=5), st.text(max_size=3)),
    )
    def test_no_secret_value_shows(self, one: dict[str, str], other: dict[str, str]) -> None:
        old, new = (
            {"kind": "Secret", "metadata": {}, part: data} for part, data in (("data", one), ("data", other))
        )
        assert CANARY not in repr(field_changes(old, new)) + repr(field_changes(new, old))


class TestNormalise:
    """What is applied."""

    @law
    @given(
        some.specs,
        st.sampled_from(["v1/Secret", "v1/Service", "apps/v1/Deployment", "example.com/v1/Widget"]),
    )
    def test_twice_is_once_and_the_argument_stays(self, node: some.Node, kind: str) -> None:
        version, _, name = kind.rpartition("/")
        written = some.pair(node)[1] | {
            "apiVersion": version,
            "kind": name,
            "data": {"a": None},
            "stringData": {"b": "c"},
        }
        before = copy.deepcopy(written)
        once = normalise(written)
        assert normalise(once) == once
        assert written == before
        assert "status" not in once


ids = st.builds(
    ObjectId,
    st.sampled_from(["", "apps", "apiextensions.k8s.io"]),
    st.sampled_from(["ConfigMap", "Namespace", "Deployment", "StorageClass", "CustomResourceDefinition"]),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["x", "y", "z"]),
)


def manifest(item: ObjectId) -> dict[str, Any]:
    version = f"{item.group}/v1" if item.group else "v1"
    return {
        "apiVersion": version,
        "kind": item.kind,
        "metadata": {"name": item.name, "namespace": item.namespace},
    }


class TestOrder:
    """Same input, same order."""

    @law
    @given(st.lists(ids, unique=True), st.randoms())
    def test_apply_order_does_not_depend_on_how_objects_came(
        self, items: list[ObjectId], random: Any
    ) -> None:
        objs = [manifest(item) for item in items]
        shuffled = random.sample(objs, len(objs))
        assert sort_objects(shuffled) == sort_objects(objs)
        assert stages(shuffled) == stages(objs)
        assert sorted(map(str, items)) == sorted(
            str(ObjectId.of(obj)) for part in stages(objs) for obj in part
        )
        assert delete_order(items) == tuple(ObjectId.of(obj) for obj in reversed(sort_objects(objs)))

    @law
    @given(st.sets(ids), st.sets(ids))
    def test_pruned_and_desired_are_the_whole_inventory(
        self, inventory: set[ObjectId], desired: set[ObjectId]
    ) -> None:
        pruned = to_prune([(item, "v1") for item in inventory], desired)
        assert set(pruned) == inventory - desired
        assert len(pruned) == len(set(pruned))

    @law
    @given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef"), max_size=2)))
    def test_units_come_after_their_dependencies_or_the_graph_is_refused(
        self, edges: dict[str, set[str]]
    ) -> None:
        units = {
            UnitId("K", "n", name): [UnitId("K", "n", to) for to in sorted(tos)]
            for name, tos in edges.items()
        }
        try:
            found = order(units)
        except SpecError:
            return
        assert set(found) == set(units)
        place = {unit: index for index, unit in enumerate(found)}
        assert all(place[to] < place[unit] for unit, tos in units.items() for to in tos)


def answer_or_error(ask: Callable[[], bool]) -> str:
    """What a person would be shown; only a SpecError is an error that we know."""
    try:
        return str(ask())
    except SpecError as err:
        return str(err)


class TestNoSurprise:
    """Input from Git or the cluster ends in an answer or in a SpecError."""

    @law
    @given(st.text("ab,=!<>() inotx1.-", max_size=20))
    def test_any_text_as_a_label_selector(self, text: str) -> None:
        shown = answer_or_error(lambda: matches(text, {"a": "b", "in": "1"}))
        assert shown in ("True", "False") or "labels" in shown

    @law
    @given(
        st.sampled_from(["v1/Pod", "apps/v1/Deployment", "apps/v1/DaemonSet", "batch/v1/Job", "x.io/v1/W"]),
        st.dictionaries(
            st.sampled_from(["conditions", "replicas", "phase", "containerStatuses", "succeeded"]), some.atoms
        ),
        some.atoms,
    )
    def test_any_status_has_a_health(self, kind: str, status: dict[str, Any], spec: Any) -> None:
        version, _, name = kind.rpartition("/")
        answer = health({"apiVersion": version, "kind": name, "metadata": {}, "spec": spec, "status": status})
        assert answer.status in ("Current", "InProgress", "Failed")
        assert answer.message
