"""The YAML reader: what Kubernetes' tools read, and hostile input refused before it costs anything."""

from __future__ import annotations

import pytest

from weir.spec.documents import MAX_ALIASES, load_yaml, read_documents, read_yaml
from weir.spec.errors import SpecError

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
MERGES = "a0: &a0 {k: v}\n" + "".join(
    f"a{n}: &a{n} {{x{n}: [{', '.join([f'*a{n - 1}'] * 10)}], <<: *a{n - 1}}}\n" for n in range(1, 10)
)
MANY_A = ", ".join(["*a"] * 300)
TOWER = "a0: &a0 []\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 600))
LONG = "found aliases that stand for over 16777216 characters"

REFUSED = {
    "duplicate key": ("b: {c: 1, c: 2}\n", "f.yaml: line 1, column 11: not readable as YAML: found duplicate key 'c'"),
    "duplicate merge": ("a: &a {}\nb:\n  <<: *a\n  <<: *a\n", "found duplicate key"),
    "same key in two spellings": ("1: a\n'1': b\n", "found duplicate key '1'"),
    "billion laughs": (LAUGHS, "found aliases that stand for over 200000 values"),
    "merges that grow": (MERGES, "found aliases that stand for over 200000 values"),
    "many aliases": (f"a: &a x\nb: [{', '.join(['*a'] * (MAX_ALIASES + 1))}]\n", "found more than 1000 aliases"),
    "long text many times": (f"a: &a {'x' * 1_000_000}\nb: [{', '.join(['*a'] * 999)}]\n", LONG),
    "long text in a list": (f"a: &a [{'x' * 1_000_000}]\nb: [{', '.join(['*a'] * 999)}]\n", LONG),
    "long key many times": (f"a: &a {{{'k' * 1000}: 1}}\nb: &b [{MANY_A}]\nc: [{MANY_A.replace('a', 'b')}]\n", LONG),
    "long text merged": (f"a: &a {{k: {'x' * 1_000_000}}}\n" + "".join(f"b{n}: {{<<: *a}}\n" for n in range(99)), LONG),
    "long text, many documents": ("---\n".join([f"a: &a {'x' * 10_000}\nb: [{', '.join(['*a'] * 99)}]\n"] * 20), LONG),
    "a tower of aliases": (TOWER, "found more than 100 levels"),
    "a value inside itself": ("a: &a [*a]\n", "found the alias *a of nothing before it"),
    "an alias as key": ("a: &a x\n*a : y\n", "found an alias as a key"),
    "a merge of a text": ("a: &a x\nb: {<<: *a}\n", "found a merge of something that is not a mapping"),
    "deep block": ("".join(f"{'  ' * n}a:\n" for n in range(200)), "found more than 100 levels"),
    "deep flow": ("[" * 1_000_000, "found more than 100 levels"),
    "python tag": ("a: !!python/object/apply:os.system [id]\n", "found the tag tag:yaml.org,2002:python/object/apply"),
    "python tag on a text": ("a: !!python/name:os.system x\n", "found the tag"),
    "unknown tag": ("a: !secret x\n", "found the tag !secret"),
    "unknown tag on a mapping": ("a: !secret {}\n", "found the tag !secret"),
    "timestamp tag": ("a: !!timestamp 2001-01-01\n", "found the tag"),
    "a text tagged as number": ("a: !!int x\n", "found 'x' tagged as int"),
    "binary that is no text": ("a: !!binary /w==\n", "found !!binary that is not base64 of a text"),
    "huge number": (f"a: {'1' * 1_000_000}\n", "found a number of 1000000 digits"),
    "huge hexadecimal": (f"a: 0x{'f' * 500}\n", ""),
    "infinity": ("a: -.inf\n", "found -.inf, which no Kubernetes object can hold"),
    "not a number": ("a: .NaN\n", "found .NaN"),
    "NUL": ("a: \0\n", "not readable as YAML"),
    "half a character": (b"a: \xc3\n", "f.yaml: found 'byte 3', expected UTF-8 text"),
    "too many values": ("[" + "1," * 1_000_001 + "]", "found over 1000000 values"),
    "sequence as key": ("? [a]\n: b\n", "found a key that is not a plain scalar"),
    "mapping as key": ("? {a: b}\n: c\n", "found a key that is not a plain scalar"),
    "not closed": ("a: [\n", "f.yaml: line 2, column 1: not readable as YAML"),
    "tab": ("a:\n\tb: 1\n", "not readable as YAML"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=list(REFUSED))
def test_hostile_and_broken_input_is_refused_with_its_place(text: str | bytes, message: str) -> None:
    if not message:
        assert isinstance(read_yaml(text, "f.yaml")[0]["a"], str)
        return
    with pytest.raises(SpecError) as caught:
        read_yaml(text, "f.yaml")
    assert caught.value.message.startswith("f.yaml: ")
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("yes", "yes"), ("on", "on"), ("y", "y"), ("true", True), ("True", True), ("FALSE", False), ("tRue", "tRue")),
        *(("", None), ("~", None), ("null", None), ("nil", "nil"), ("012", 10), ("0o12", 10), ("0x1F", 31)),
        *(("0b11", 3), ("-0b11", -3), ("08", 8), ("1_000", 1000), ("+5", 5), ("1:30", "1:30"), ("1e3", 1000)),
        *((".5", 0.5), ("1.0", 1), ("1.10", 1.1), ("1e400", "1e400"), ("1e21", 1e21)),
        ("18446744073709551615", 2**64 - 1),
        *(("18446744073709551616", 2.0**64), ("2001-01-01", "2001-01-01"), ("=", "="), ("v1", "v1"), ("-", "-")),
        *(("'1'", "1"), ('"1"', "1"), ("!!str 1", "1"), ("! 1", 1), ("!!float 1", 1), ("!!binary aGk=", "hi")),
    ],
)  # fmt: skip
def test_scalars_read_as_kustomize_reads_them(text: str, value: object) -> None:
    (found,) = load_yaml(f"a: {text}\n" if text != "-" else "a: '-'\n", "x").values
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "value"), [("yes", True), ("Off", False), ("y", True), ("N", False), ("'yes'", "yes")]
)
def test_old_booleans_only_when_asked_for(text: str, value: object) -> None:
    assert load_yaml(f"a: {text}\n", "x", old_booleans=True).values == ({"a": value},)


def test_merge_keys_fill_in_what_is_missing() -> None:
    text = "a: &a {k: 1, l: 2}\nb: {<<: *a, k: 3}\nc: {<<: [*a, {k: 4, m: 5}]}\n"
    (found,) = read_yaml(text, "x")
    assert found["b"] == {"k": 3, "l": 2}
    assert found["c"] == {"k": 1, "l": 2, "m": 5}


def test_anchors_of_a_few_kilobytes_may_be_used_often() -> None:
    script = "\n".join(["    echo hello"] * 400)
    uses = "".join(f"  k{n}: *s\n  m{n}: {{<<: *m, n: {n}}}\n" for n in range(100))
    (found,) = read_yaml(f"s: &s |\n{script}\nm: &m {{t: {'x' * 5000}}}\ndata:\n{uses}", "f")
    assert {found["data"][f"k{n}"] for n in range(100)} == {"echo hello\n" * 400}
    assert found["data"]["m99"] == {"t": "x" * 5000, "n": 99}


def test_only_what_aliases_stand_for_counts_and_not_the_text_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weir.spec.documents.MAX_EXPANDED_TEXT", 1000)
    text = f"a: &a {'x' * 5000}\nb: {'y' * 5000}\nc: &c {{k: {'z' * 499}}}\nd: [*c, *c]\n"
    assert read_yaml(text, "f")[0]["d"] == [{"k": "z" * 499}] * 2
    with pytest.raises(SpecError, match="line 4, column 13: not readable as YAML: found aliases that stand"):
        read_yaml(text.replace("*c]", "*c, *c]"), "f")


def test_what_an_alias_stands_for_is_not_shared() -> None:
    (found,) = read_yaml("a: &a {k: [1]}\nb: *a\n", "x")
    found["b"]["k"].append(2)
    assert found["a"] == {"k": [1]}


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        ("a: {1: b}\n", "the key 1 is not a text"),
        ("true: b\n", "the key true is not a text"),
        ("a: 2001-01-01\n", "the date 2001-01-01 is not in quotes"),
        ("a: 2001-01-01 10:00:00\n", "the date 2001-01-01 10:00:00 is not in quotes"),
        ("a: '2001-01-01'\n", ""),
        ("a: >\n  b\n   c\n", "a folded text has lines that are indented further"),
        ("a: >\n  b\n  c\n", ""),
        ("'1': b\n", ""),
    ],
)
def test_what_kustomize_reads_differently_is_noted(text: str, odd: str) -> None:
    assert load_yaml(text, "x").odd == odd


def test_keys_become_texts_as_in_json() -> None:
    assert read_yaml("{1: a, true: b, !!null : c, 1.5: d}\n", "x") == [
        {"1": "a", "true": "b", "null": "c", "1.5": "d"}
    ]


def test_documents_know_where_they_stand() -> None:
    text = b"\xef\xbb\xbf# c\n---\nkind: A\nmetadata: {name: a, namespace: n}\n---\n---\n{}\n---\nkind: B\n"
    documents = read_documents(text, "f.yaml")
    assert [document.where for document in documents] == ["f.yaml: A/n/a", "f.yaml: document 2", "f.yaml: B"]


def test_lists_are_unfolded_and_their_items_checked() -> None:
    items = read_documents("kind: List\nitems: [{kind: A}, {kind: B}]\n", "x")
    assert [item.data["kind"] for item in items] == ["A", "B"]
    with pytest.raises(SpecError, match=r"x: document 1: items\[1\]: found 'str', expected a mapping"):
        read_documents("kind: List\nitems: [{kind: A}, text]\n", "x")
    with pytest.raises(
        SpecError, match="x: document 1: found 'list', expected a mapping with apiVersion and kind"
    ):
        read_documents("- a\n", "x")
