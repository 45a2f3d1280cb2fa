"""Variables in rendered objects: Flux's syntax, its results and its strictness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.property.strategies import kustomization
from weir.render.expressions import ExpressionError, UndefinedError, expand
from weir.render.substitute import OTHERS, UNKNOWN, Substituted, Variable, collect_variables, substitute
from weir.spec.documents import Document
from weir.spec.errors import RenderError

VALUES = {
    "word": "abcdEFGH28ij",
    "path": "/home/bozo/ideas/thoughts.for.today",
    "file": "bash.string.txt",
    "dir": "foo/bar/baz",
    "text": "abcABC123ABCabc",
    "name": "web",
    "empty": "",
    "accent": "é-x",
    "quote": '"',
}

RESULTS = {
    # the value, and what is not an expression
    "${name}": "web",
    "a ${name}-${name} b": "a web-web b",
    "${empty}": "",
    "$name $ { } $1 $(x)": "$name $ { } $1 $(x)",
    "$${name}": "${name}",
    "$$${name}": "$web",
    "$$$${name}": "$${name}",
    "cost $$5": "cost $5",
    "a ${name}$${x$${name}$name${name}": "a web${x${name}$nameweb",
    "$${name=${word}}": "${name=abcdEFGH28ij}",
    # length and letter case
    "${#word}": "12",
    "${#accent}": "4",
    "${word^}": "AbcdEFGH28ij",
    "${word^^}": "ABCDEFGH28IJ",
    "${text^}${text,}": "AbcABC123ABCabcabcABC123ABCabc",
    "${word,,}": "abcdefgh28ij",
    "${empty^}${empty,}": "",
    # parts
    "${path:11}": "ideas/thoughts.for.today",
    "${path:11:5}": "ideas",
    "${path:6:${#name}}": "boz",
    "${word:1:-1}": "bcdEFGH28i",
    "${word:9:-9}": "",
    "${word:50}": "",
    "${word:8:50}": "28ij",
    "${word: -2}": "abcdEFGH28ij",
    "${word:x}": "abcdEFGH28ij",
    "${word:1:x}": "abcdEFGH28ij",
    "${word:0:99999999999999999999}": "abcdEFGH28ij",
    # defaults
    "${none:=xyz}": "xyz",
    "${none:-xyz}": "xyz",
    "${none=xyz}": "xyz",
    "${none-xyz}": "xyz",
    "${none:=}": "",
    "${empty:=xyz}": "xyz",
    "${name:=xyz}": "web",
    "${none:=a ${name} b}": "a web b",
    "${none:=${also:=${name}}}": "web",
    "${none:=$${name}}": "$web",
    "${none:={}}": "{}",
    "${none:=\\/}": "\\/",
    # starts and ends cut off
    "${file#*.}": "string.txt",
    "${file##*.}": "txt",
    "${path##*/}": "thoughts.for.today",
    "${path#*/}": "home/bozo/ideas/thoughts.for.today",
    "${file%.*}": "bash.string",
    "${file%%.*}": "bash",
    "${file#x}": "bash.string.txt",
    "${file#${none:=bash.}}": "string.txt",
    "${text#[a-c]}": "bcABC123ABCabc",
    "${text##[^1-3]*[1-3]}": "ABCabc",
    "${text#?b}": "cABC123ABCabc",
    "${text#[}": "abcABC123ABCabc",
    "${empty#*}": "",
    # replaced
    "${text/abc/xyz}": "xyzABC123ABCabc",
    "${text//abc/xyz}": "xyzABC123ABCxyz",
    "${text/#abc/XYZ}": "XYZABC123ABCabc",
    "${text/%abc/XYZ}": "abcABC123ABCXYZ",
    "${text/#x/XYZ}": "abcABC123ABCabc",
    "${name/#/pre-}": "pre-web",
    "${name/%/-post}": "web-post",
    "${file/./}": "bashstring.txt",
    "${file//./}": "bashstringtxt",
    "${dir/\\//-}": "foo-bar/baz",
    "${dir//\\//-}": "foo-bar-baz",
    "${name/web/${word:0:3}}": "abc",
    "${name/web/a\\/b}": "a/b",
    "${name/web/$$}": "$",
}


@pytest.mark.parametrize(("text", "expected"), RESULTS.items(), ids=list(RESULTS))
def test_expressions(text: str, expected: str) -> None:
    assert expand(text, VALUES.get) == expected


BROKEN = {
    "${": "${: expected the name of a variable",
    "${}": "${}: expected the name of a variable",
    "${ name }": "${ name }: expected the name of a variable",
    "${name": "${name: expected } at its end; write $${ for a plain ${",
    "${name.first}": "${name.first}: expected } at its end",
    "${name[@]}": "${name[@]}: expected } at its end",
    "${name!}": "${name!}: expected } at its end",
    "${#name": "${#name: expected } at its end",
    "${name+x}": "${name+x}: the operator + is not supported",
    "${name:+x}": "${name:+x}: the operator :+ is not supported",
    "${name:?x}": "${name:?x}: the operator :? is not supported",
    "${name?x}": "${name?x}: the operator ? is not supported",
    "${name:}": "${name:}: expected something between its operator and its end",
    "${name::2}": "${name::2}: expected something between its operator and its end",
    "${name#}": "${name#}: expected something between its operator and its end",
    "${name/x}": "${name/x}: expected / between pattern and replacement",
    "${name:=x": "${name:=x: expected } at its end",
    "${name^^^}": "${name^^^}: expected } at its end",
    "${accent:1}": "cuts a character",
    "${a:=" * 30: "found over 20 expressions inside each other",
}


@pytest.mark.parametrize(("text", "message"), BROKEN.items(), ids=[key[:20] for key in BROKEN])
def test_expressions_that_cannot_be_read_say_why(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        expand(text, VALUES.get)
    assert message in str(caught.value)


OPERATORS = [
    "",
    "^",
    "^^",
    ",",
    ",,",
    ":0",
    ":0:1",
    "#x",
    "##x",
    "%x",
    "%%x",
    "/a/b",
    "//a/b",
    "/#a/b",
    "/%a/b",
]


@pytest.mark.parametrize("text", [*("${none" + operator + "}" for operator in OPERATORS), "${#none}"])
def test_a_variable_without_value_or_default_is_an_error(text: str) -> None:
    with pytest.raises(UndefinedError, match="the variable none is not defined and has no default"):
        expand(text, VALUES.get)


@pytest.mark.parametrize(
    "text",
    ["${grow//a/" * 12 + "${grow}" + "}" * 12, "${grow}" * 20_000, "${grow##x}" * 20_000],
    ids=["nest", "row", "cut"],
)
def test_growth_is_bounded(text: str) -> None:
    with pytest.raises(ExpressionError, match="over"):
        expand(text, {"grow": "a" * 1000}.get)


def document(data: dict[str, Any], file: str = "apps/cm.yaml") -> Document:
    meta = {"name": "a", "namespace": "prod", **data.pop("metadata", {})}
    return Document(file, 0, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **data})


def filled(
    data: dict[str, Any], values: Mapping[str, str], *, secret: bool = False, always: bool = False
) -> Substituted:
    variables = {key: Variable(value=value, secret=secret, origin="test") for key, value in values.items()}
    return substitute([document(data)], variables, always=always)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("${n}", {"n": "3"}, 3),
        ("${n}", {"n": "true"}, True),
        ("${n}", {"n": "yes"}, True),
        ("${n}", {"n": "1.5"}, 1.5),
        ("${n}", {"n": ""}, None),
        ("${q}${n}${q}", {"n": "3", "q": '"'}, "3"),
        ("n=${n}", {"n": "3"}, "n=3"),
        ("${n}", {"n": "[1, 2]"}, [1, 2]),
        ("${n:=8}", {"x": ""}, 8),
        ("line ${n}\nline", {"n": "3"}, "line 3\nline"),
        ("007", {"n": "3"}, "007"),
        ("key: ${n}", {"n": "3"}, "key: 3"),
    ],
)
def test_values_get_the_type_that_their_text_has_in_yaml(
    text: str, values: dict[str, str], expected: object
) -> None:
    (result,) = filled({"spec": {"a": text, "touch": "$$"}}, values).documents
    assert result.data["spec"]["a"] == expected


def test_what_is_not_an_expression_survives_the_way_through_text() -> None:
    strings = [
        *(
            "yes",
            "no",
            "on",
            "y",
            "null",
            "~",
            "1",
            "0x1f",
            "1e3",
            "2001-01-01",
            "",
            "<<",
            "a: b",
            "- a",
            "# c",
        ),
        *(
            " x ",
            "é😀",
            "a\nb",
            "a\n",
            "\n",
            " a\n b",
            "tab\there",
            "'q'",
            '"q"',
            "{a}",
            "[a]",
            "*a",
            "&a",
            "!a",
        ),
        *("%a", "@a", "`a`"),
    ]
    data = {"spec": {"strings": strings, "numbers": [1, 1.5, -3, 2**63, True, None, {}, []], "touch": "$$"}}
    (result,) = filled({**data}, {"n": "1"}).documents
    assert result.data["spec"] == {**data["spec"], "touch": "$"}


def test_keys_and_names_are_substituted_too() -> None:
    (result,) = filled({"metadata": {"name": "a-${n}"}, "data": {"${n}": "x"}}, {"n": "web"}).documents
    assert result.data["metadata"]["name"] == "a-web"
    assert result.data["data"] == {"web": "x"}


def test_without_variables_expressions_stay_unless_always() -> None:
    (result,) = filled({"data": {"a": "${x:=1}"}}, {}).documents
    assert result.data["data"]["a"] == "${x:=1}"
    (result,) = filled({"data": {"a": "${x:=d}"}}, {}, always=True).documents
    assert result.data["data"]["a"] == "d"


@pytest.mark.parametrize("place", ["labels", "annotations"])
def test_an_object_can_opt_out(place: str) -> None:
    mark = {place: {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}}
    (result,) = filled({"metadata": mark, "data": {"a": "${undefined}"}}, {"n": "1"}).documents
    assert result.data["data"]["a"] == "${undefined}"


def test_an_undefined_variable_names_itself_object_and_file() -> None:
    with pytest.raises(RenderError) as caught:
        filled({"data": {"a": "${region}"}}, {"n": "1"})
    assert (
        caught.value.message
        == "apps/cm.yaml: ConfigMap/prod/a: the variable region is not defined and has no default"
    )
    assert "${region:=value}" not in caught.value.hint
    assert "${name:=value}" in caught.value.hint


def test_secret_values_are_followed_and_never_shown() -> None:
    result = filled({"data": {"a": "${password}"}}, {"password": "hunter2"}, secret=True)
    assert result.secret == {0}
    assert filled({"data": {"a": "$$"}}, {"password": "hunter2"}, secret=True).secret == frozenset()
    with pytest.raises(RenderError) as caught:
        filled({"data": {"a": "${password}"}}, {"password": "hunter2: }{"}, secret=True)
    assert "hunter2" not in f"{caught.value}{caught.value.__cause__}"
    assert "the variables password make it unreadable as YAML" in caught.value.message


def test_an_expression_in_a_secret_is_not_shown() -> None:
    with pytest.raises(RenderError) as caught:
        filled({"kind": "Secret", "stringData": {"a": "${hunter2!}"}}, {"n": "1"})
    assert "hunter2" not in str(caught.value)


def test_an_unknown_value_shows_as_unknown_and_is_reported() -> None:
    variables = {"host": Variable(value=UNKNOWN, secret=False, origin="StackOutput/net")}
    data = {"data": {"a": "https://${host^^}/${#host}/${host:=x}"}}
    result = substitute([document(data)], variables)
    assert result.documents[0].data["data"]["a"] == "https://<unknown>/<unknown>/<unknown>"
    assert result.warnings == ("host from StackOutput/net is not known yet, <unknown> stands for it",)


def test_what_an_incompletely_known_source_may_hold_is_unknown_unless_it_has_a_default() -> None:
    post = {"substituteFrom": [{"kind": "StackOutput", "name": n} for n in ("partly", "never-seen")]}
    variables = collect_variables(kustomization(postBuild=post), lookup)
    data = {"data": {"a": "${port}", "b": "${host}/${host}", "c": "${size:=3}"}}
    others = [document({"data": {"a": text}}) for text in ("${port}", "${size:=3}")]
    result = substitute([document(data), *others], variables)
    assert result.documents[0].data["data"] == {"a": 1, "b": "<unknown>/<unknown>", "c": 3}
    assert result.warnings == (
        "host from StackOutput/partly or StackOutput/never-seen is not known yet, <unknown> stands for it",
    )
    assert result.secret == {0, 2}, "what nobody recorded may be a secret, and be in the live object"


def test_an_undefined_variable_stays_an_error_when_all_sources_are_known() -> None:
    post = {"substituteFrom": [{"kind": "ConfigMap", "name": "one"}]}
    variables = collect_variables(kustomization(postBuild=post), lookup)
    with pytest.raises(RenderError, match="the variable host is not defined"):
        substitute([document({"data": {"a": "${host}"}})], variables)


def lookup(kind: str, namespace: str, name: str) -> Mapping[str, str] | None:
    stored = {
        ("ConfigMap", "flux-system", "one"): {"a": "1", "b": "1"},
        ("Secret", "flux-system", "two"): {"b": "se\ncret\n"},
        ("StackOutput", "flux-system", "net"): {"host": UNKNOWN},
        ("StackOutput", "flux-system", "partly"): {"port": "1", OTHERS: UNKNOWN},
        ("StackOutput", "flux-system", "never-seen"): {OTHERS: UNKNOWN},
        ("ConfigMap", "flux-system", "bad"): {"a": "1", "not-a-name": "1"},
        ("ConfigMap", "flux-system", "digit"): {"1a": "1"},
        ("ConfigMap", "flux-system", "others"): {OTHERS: str(UNKNOWN)},
    }
    return stored.get((kind, namespace, name))


def test_later_sources_win_and_inline_values_win_over_all() -> None:
    names = [("ConfigMap", "one"), ("Secret", "two"), ("StackOutput", "net")]
    post = {"substituteFrom": [{"kind": k, "name": n} for k, n in names], "substitute": {"a": "in\nline"}}
    found = collect_variables(kustomization(postBuild=post), lookup)
    assert found["a"] == Variable(value="inline", secret=False, origin="spec.postBuild.substitute")
    assert found["b"] == Variable(value="secret", secret=True, origin="Secret/two")
    assert found["host"].value is UNKNOWN


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            {"kind": "ConfigMap", "name": "x"},
            "spec.postBuild.substituteFrom: found no ConfigMap/x in namespace flux-system",
        ),
        (
            {"kind": "ConfigMap", "name": "bad"},
            "ConfigMap/bad: found the key 'not-a-name', expected the name of a variable",
        ),
        (
            {"kind": "ConfigMap", "name": "digit"},
            "ConfigMap/digit: found the key '1a', expected the name of a variable",
        ),
        (
            {"kind": "ConfigMap", "name": "others"},
            "ConfigMap/others: found the key '*', expected the name of a variable",
        ),
    ],
)
def test_a_source_that_cannot_be_used_is_named(source: dict[str, Any], message: str) -> None:
    with pytest.raises(RenderError) as caught:
        collect_variables(kustomization(postBuild={"substituteFrom": [source]}), lookup)
    assert caught.value.message == message
    assert caught.value.hint


def test_an_optional_source_may_be_absent() -> None:
    post = {"substituteFrom": [{"kind": "Secret", "name": "x", "optional": True}]}
    assert collect_variables(kustomization(postBuild=post), lookup) == {}
