"""Pulumi's wire protocol: the generated modules of the installed `pulumi` package, without the SDK around them.

The SDK takes three times as long to import as the protocol alone, and every run waits for the plugin to start.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_SDK = find_spec("pulumi")
if _SDK is None or not _SDK.submodule_search_locations:
    raise ImportError("found no package `pulumi` in this environment; install requirements.txt")
__path__ = [str(Path(_SDK.submodule_search_locations[0]) / "runtime" / "proto")]
