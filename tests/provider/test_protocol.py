"""The plugin speaks Pulumi's protocol without loading its SDK."""

from __future__ import annotations

import subprocess
import sys


def test_the_plugin_starts_without_the_sdk() -> None:
    code = "import sys, provider.__main__; print(sorted(name for name in sys.modules if name.startswith('pulumi')))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_protocol_is_that_of_the_installed_sdk() -> None:
    from pulumi.runtime.proto import provider_pb2 as theirs

    from provider.protocol import provider_pb2 as ours

    request = ours.CheckRequest(urn="urn:pulumi:a::b::c::d")
    assert ours.__file__ == theirs.__file__
    assert theirs.CheckRequest.FromString(request.SerializeToString()).urn == request.urn
