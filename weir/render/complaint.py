"""What kustomize said when it failed, made fit for a person and for a log.

kustomize prints paths of the scratch folder and whole objects, also Secrets. The paths become those of the artifact;
dumps are cut off; and where a Secret may be among what was built, only sentences known to hold no value remain.
"""

from __future__ import annotations

import re
from typing import Final

_LONGEST: Final = 400
"""Characters kept of a message."""

_DUMPS: Final = (
    (re.compile(r"`[^`]*`"), "..."),
    (re.compile(r'\[patch: "(?:[^"\\]|\\.)*"\]'), "[patch]"),
    (re.compile(r'"(?:[^"\\]|\\.){81,}"'), '"..."'),
)
_DUMP_START: Final = re.compile(r"\n|map\[|[&({]?\{|0x[0-9a-f]{6}")
_NAME: Final = r"[\w./~:|\[\]-]+"
_SAFE: Final = re.compile(
    "|".join(
        (
            rf"accumulating resources from '{_NAME}'",
            r"MalformedYAMLError: yaml: line \d+: [a-z ,]+",
            r"yaml: line \d+: [a-z ,]+",
            rf"may not add resource with an already registered id: {_NAME}",
            rf"no matches for Id {_NAME}; failed to find unique target for patch {_NAME}",
            rf"no resource matches strategic merge patch {_NAME}",
            r"missing metadata\.name in object",
            r"missing kind in object",
            r"invalid Kustomization: json: unknown field \"\w+\"",
            rf"invalid Kustomization: json: cannot unmarshal \w+ into Go struct field {_NAME}",
            rf"couldn't make target for path '{_NAME}'",
            r"kustomization\.yaml is empty",
            r"expected kind (?:!= )?'\w+' for path",
            rf"id {_NAME} exists; behavior must be merge or replace",
            r"unable to parse SM or JSON patch",
            r"illegally repeats the key",
        )
    )
)
"""Sentences of kustomize that name files, lines and identities only."""


def explain(stderr: str, root: str, *, may_show_secrets: bool) -> str:
    """One line with what went wrong. `root`: the scratch folder, whose path is taken out."""
    lines = [line for line in stderr.splitlines(keepends=True) if not line.startswith("# Warning")]
    text = "".join(lines).replace(f"{root}/", "").replace(root, ".").strip().removeprefix("Error: ")
    if (
        text.startswith(("fatal error: runtime: out of memory", "runtime: out of memory"))
        or "cannot allocate memory" in text
    ):
        return "it needs more memory than it may use"
    if may_show_secrets:
        found = list(dict.fromkeys(match[0].strip() for match in _SAFE.finditer(text)))
        return ": ".join(found) or "it gave a reason that may hold Secret data, so it is not shown"
    for pattern, shown in _DUMPS:
        text = pattern.sub(shown, text)
    if dump := _DUMP_START.search(text):
        text = text[: dump.start()] or text.rpartition("}: ")[2]
    text = re.sub(r"(?<=['\"\s])\./", "", " ".join(text.split())).rstrip(" :'(")
    return text[:_LONGEST] or "it gave no reason"
