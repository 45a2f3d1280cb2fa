"""What `weir up`, `preview`, `destroy` and `refresh` share: put the state right, check it, run the engine."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from weir.cli._notify import notify
from weir.edges.pulumi.apart import apart
from weir.edges.pulumi.command import Host, PulumiCli
from weir.edges.pulumi.heal import Healing, heal
from weir.edges.pulumi.lock import StackLockedError
from weir.edges.pulumi.passphrase import Passphrase
from weir.edges.pulumi.project import (
    EngineError,
    Project,
    StackSettings,
    backend_folder,
    backend_url,
    check_stack_name,
    find_project,
    read_settings,
    stack_file,
)
from weir.edges.pulumi.references import OWN, check_providers
from weir.edges.pulumi.state import StackFiles
from weir.edges.pulumi.targets import CLUSTERS, clusters_of, find_targets
from weir.edges.tools import PROGRAMS
from weir.edges.tracing import traced
from weir.flow.turns import Patience, Turn, open_run_lease
from weir.spec.duration import parse_duration
from weir.spec.identity import UnitId

if TYPE_CHECKING:
    from weir.edges.kube.lease import Lease

LOCKED: Final = 3
"""Exit code when another run holds the stack."""
_TAKEN: Final = (2, LOCKED)
"""Codes of the engine that have another meaning here (sdk/go/common/util/cmdutil/exit.go)."""
EXIT_CODES: Final = """exit codes:
  0    done
  1    failed, as the last lines say
  2    wrong usage
  3    another run holds the stack, for longer than --lock-timeout; nothing was changed
  4..9 Pulumi's own: 4 a resource failed, 5 a policy, 7 --expect-no-changes, 8 cancelled, 9 timeout
  130  stopped by Ctrl-C (128 + the signal's number); a second Ctrl-C kills at once

Before the engine starts, on a file:// backend: a lock whose owner is proven dead is removed; a state that is missing
or corrupt is put aside and recovered from the newest whole copy; operations that a killed run left are forgotten and
done again. On every backend: a state that names a dynamic provider which is not Weir's own is refused.
The passphrase is read from PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE."""

_FLAGS: Final[Mapping[str, tuple[str, ...]]] = {
    "up": ("--yes", "--skip-preview", "--continue-on-error"),
    "preview": (),
    "destroy": ("--yes", "--skip-preview", "--continue-on-error"),
    "refresh": ("--yes", "--skip-preview"),
}
_UNLEASED: Final = ("preview",)
"""Verbs that change nothing and so wait for nobody."""
_TELLING: Final = ("up", "destroy")
"""Verbs after which notifications are delivered."""
_REFUSED: Final = ("-s", "--stack", "-C", "--cwd", "--config-file")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRequest:
    """One run of the engine."""

    verb: str
    """`up`, `preview`, `destroy` or `refresh`."""
    stack: str
    cwd: Path
    config_file: Path | None = None
    targets: tuple[UnitId, ...] = ()
    diff: bool = False
    lock_timeout: float = 0.0
    """Seconds to wait for another run that holds the stack."""
    extra: tuple[str, ...] = ()
    """Further flags for Pulumi."""
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    allowed: frozenset[str] = OWN
    """Dynamic providers that the state may name."""
    tools: tuple[str, ...] = PROGRAMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A stack that is ready for the engine."""

    project: Project
    settings: StackSettings
    files: StackFiles | None
    """None when the backend is not file://."""
    resources: tuple[Mapping[str, Any], ...]
    """Resources of the state that the engine will start from."""
    lost: bool
    """The stack was known, but has no state any more: its units come back from the records in the cluster."""
    told: tuple[str, ...]
    """What was put right, as sentences."""


def add_engine_arguments(parser: argparse.ArgumentParser, *, diff: bool = False) -> None:
    """Declare what the four verbs share."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXIT_CODES
    parser.add_argument(
        "-s", "--stack", default=os.environ.get("PULUMI_STACK"), help="the stack (default: $PULUMI_STACK)"
    )
    parser.add_argument(
        "--config-file", type=Path, metavar="FILE", help="settings instead of Pulumi.<stack>.yaml"
    )
    parser.add_argument("--cwd", type=Path, default=Path(), metavar="FOLDER", help="the project's folder")
    parser.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="UNIT",
        help="only this unit, as Kind/namespace/name, with its sources; a source brings what depends on it",
    )
    if diff:
        parser.add_argument(
            "--diff", action="store_true", help="name every object and field that would change"
        )
    else:
        parser.add_argument(
            "--lock-timeout",
            type=_seconds,
            default=300.0,
            metavar="DURATION",
            help="how long to wait for another run that holds the stack, 0s not at all (default: 5m)",
        )
    parser.add_argument("extra", nargs="*", metavar="-- FLAGS", help="further flags for Pulumi, after --")


def request_of(verb: str, args: argparse.Namespace) -> EngineRequest:
    """The request in parsed arguments. Raises EngineError or SpecError."""
    if not args.stack:
        raise EngineError(f"weir {verb}: found no stack", hint="pass --stack NAME or set PULUMI_STACK")
    for flag in args.extra:
        if not flag.startswith("-") or flag.partition("=")[0] in _REFUSED:
            hint = "pass it before the --" if flag.startswith("-") else "only flags may follow --"
            raise EngineError(f"weir {verb}: found {flag!r} after --", hint=hint)
    return EngineRequest(
        verb=verb,
        stack=check_stack_name(args.stack),
        cwd=args.cwd,
        config_file=args.config_file,
        targets=tuple(UnitId.parse(text) for text in args.target),
        diff=getattr(args, "diff", False),
        lock_timeout=getattr(args, "lock_timeout", 0.0),
        extra=tuple(args.extra),
    )


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(f"found {text[:100]!r}, expected {err}") from err


def run_engine(
    request: EngineRequest,
    find_orphans: Callable[[Prepared], Iterable[UnitId]] | None = None,
    host: Host | None = None,
) -> int:
    """Prepare the stack, run the engine, and give the exit code of `EXIT_CODES`. Raises WeirError.

    Args:
        request: what to run.
        find_orphans: the units of this stack that the cluster remembers and the prepared state does not hold; the
            program gets them as `$WEIR_ORPHANS`. Raises WeirError when the engine must not run.
        host: runs the program in this process.
    """
    with (
        traced(request.verb, request.stack, request.environ, _say) as trace,
        Turn(lambda: _lease_of(request), _say) as turn,
    ):
        try:
            prepared = _prepare_in_turn(request, turn, Patience(request.lock_timeout, _say))
        except StackLockedError as error:
            print(f"✗ {error}", file=sys.stderr)
            return LOCKED
        except OSError as err:
            raise EngineError(f"{err.filename}: {err.strerror}", hint="check the backend's folder") from err
        environ = dict(trace.environ)
        if find_orphans and (orphans := sorted(find_orphans(prepared))):
            environ["WEIR_ORPHANS"] = ",".join(map(str, orphans))
        environ[CLUSTERS] = ",".join(sorted(clusters_of(prepared.resources)))
        cli = PulumiCli(root=prepared.project.root, environ=environ, tools=request.tools)
        code = trace.code = cli.run(arguments_of(request, prepared), host)
    if request.verb in _TELLING:
        notify(request.stack, prepared.settings.file)
    return 1 if code in _TAKEN else code


def _say(sentence: str) -> None:
    print(f"► {sentence}", file=sys.stderr, flush=True)


def _lease_of(request: EngineRequest) -> Lease | None:
    """The stack's run lease; None for a verb that takes none. Raises WeirError."""
    if request.verb in _UNLEASED:
        return None
    project = find_project(request.cwd)
    return open_run_lease(request.stack, stack_file(project, request.stack, request.config_file))


def _prepare_in_turn(request: EngineRequest, turn: Turn, patience: Patience) -> Prepared:
    """Prepare the stack once nobody else holds it. Raises StackLockedError when that takes too long."""
    while True:
        try:
            prepared = prepare(request)
        except StackLockedError as error:
            if not patience.rest(error.message):
                raise
            continue
        for sentence in prepared.told:
            _say(sentence)
        if not turn.wait(patience):
            return prepared


def prepare(request: EngineRequest) -> Prepared:
    """Everything before the engine: passphrase, self-healing, the check of providers, the stack's existence.

    Raises:
        StackLockedError: another run holds the stack.
        WeirError: nothing was run, as the text says.
    """
    project = find_project(request.cwd)
    settings = read_settings(project, request.stack, request.config_file)
    passphrase = Passphrase.of(request.environ)
    passphrase.check_given(request.stack, settings)
    cli = PulumiCli(root=project.root, environ=request.environ, tools=request.tools)

    def check_salt(salt: str) -> None:
        if settings.uses_passphrase:
            passphrase.check_opens(request.stack, salt)

    folder = backend_folder(backend_url(project, request.environ), project.root)
    files = StackFiles(backend=folder, project=project.name, stack=request.stack) if folder else None
    done = (
        heal(files, check_salt=check_salt, only_reading=request.verb == "preview")
        if files
        else Healing(exists=True)
    )
    if done.exists and done.checkpoint is None:
        deployment = cli.export(request.stack)
        done.exists = deployment is not None
        resources = _resources_of(deployment or {})
    else:
        resources = tuple(done.checkpoint.everything()) if done.checkpoint else ()
    check_providers(resources, request.allowed)
    if not done.exists:
        _create(cli, request.stack, project, settings)
    elif done.checkpoint and done.checkpoint.salt != settings.salt:
        check_salt(done.checkpoint.salt)
    told = tuple(done.told)
    return Prepared(
        project=project, settings=settings, files=files, resources=resources, lost=done.lost, told=told
    )


def arguments_of(request: EngineRequest, prepared: Prepared) -> list[str]:
    """The CLI's arguments. Raises EngineError when a target is not in the state yet."""
    arguments = [request.verb, *_FLAGS[request.verb], f"--stack={request.stack}"]
    if request.config_file:
        arguments.append(f"--config-file={request.config_file.absolute()}")
    if request.diff:
        arguments.append("--diff")
    if request.targets:
        urns, dependents = find_targets(prepared.resources, request.targets)
        arguments += [f"--target={urn}" for urn in urns]
        arguments += ["--target-dependents"] * dependents
    return [*arguments, *request.extra]


def _create(cli: PulumiCli, stack: str, project: Project, settings: StackSettings) -> None:
    """Create the stack. Pulumi notes its salt in the project's Pulumi.<stack>.yaml, also where that is not in use."""
    if settings.file == stack_file(project, stack):
        cli.create_stack(stack)
        return
    with apart(cli, project) as elsewhere:
        elsewhere.create_stack(stack)


def _resources_of(deployment: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    pending: Iterable[Mapping[str, Any]] = deployment.get("pending_operations") or ()
    return (*(deployment.get("resources") or ()), *(operation["resource"] for operation in pending))
