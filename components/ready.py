"""`python -m components.ready --stack S ...`: `weir up` with all its modules loaded, which waits to be told to begin.

A line on its standard input, a JSON list of units, makes it `weir up` of these (an empty list: of the whole stack); the
end of its input ends it. The program runs in this process too. The engine calls it, as with Pulumi's Automation API,
instead of starting a language host and Python: a third of the time of a run in which little changes.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Final

import grpc
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2_grpc

import components.program  # noqa: F401 - `start` loads it when it is called
from components.start import start
from weir.cli import reported
from weir.cli._engine import add_engine_arguments, request_of, run_engine
from weir.cli._orphans import orphan_finder
from weir.edges.pulumi.passphrase import FILE, TEXT
from weir.edges.runs import engine_is

_CALLS: Final = 4
"""Calls of the engine that are answered at once."""


class ProgramHost(LanguageServer):
    """The program in this process, for one run of the engine. It listens on loopback."""

    def __init__(self) -> None:
        super().__init__(start)
        self._server = grpc.server(ThreadPoolExecutor(max_workers=_CALLS))
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(self, self._server)
        self._begun = threading.Event()
        self._engine = 0

    @cached_property
    def address(self) -> str:
        """Where it listens from now on."""
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        return f"127.0.0.1:{port}"

    def begin(self, pid: int, environ: Mapping[str, str]) -> None:
        """The engine that will call is this process; its environment is the program's, without the passphrase."""
        os.environ.update({key: value for key, value in environ.items() if key not in (FILE, TEXT)})
        self._engine = pid
        self._begun.set()

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name is the protocol's
        """Run the program; what it says of an error is all that is said."""
        self._begun.wait()
        engine_is(self._engine)
        os.environ["PULUMI_CONFIG"] = json.dumps(dict(request.config))
        base: Any = super()
        answer = base.Run(request, context)
        answer.bail = bool(answer.error)
        return answer


def main(arguments: Sequence[str]) -> int:
    """Wait, and run; the exit code is that of `weir up`, and 0 when it was never told to begin."""
    parser = argparse.ArgumentParser(prog="components.ready", description=__doc__)
    add_engine_arguments(parser)
    args = parser.parse_args(arguments)
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    line = sys.stdin.readline()
    if not line:
        return 0
    args.target = json.loads(line)
    return reported(lambda: run_engine(request_of("up", args), orphan_finder(args), ProgramHost()))


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # threads of the program may still wait for an engine that is gone
    os._exit(code)
