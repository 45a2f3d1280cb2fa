"""Runs `run_engine` in a process of its own, with the providers of the test's program allowed."""

from __future__ import annotations

import sys
from pathlib import Path

from weir.cli._engine import EngineRequest, run_engine
from weir.edges.pulumi.references import OWN
from weir.spec.errors import WeirError

TOOLS = ("pulumi", "pulumi-language-python")


def main() -> int:
    """`engine_driver VERB FOLDER [FLAG...]`."""
    verb, folder, *extra = sys.argv[1:]
    allowed = OWN | {"things:ThingProvider"}
    request = EngineRequest(
        verb=verb, stack="dev", cwd=Path(folder), extra=tuple(extra), allowed=allowed, tools=TOOLS
    )
    try:
        return run_engine(request)
    except WeirError as error:
        sys.stderr.write(f"✗ {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
