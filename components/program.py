"""The program: look ahead, register every unit as it becomes certain, export one output per unit."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pulumi

from components.cluster import Cluster
from components.registry import Registry
from weir.edges.pulumi.project import state_home
from weir.edges.pulumi.targets import CLUSTERS
from weir.edges.runs import Run
from weir.flow import notices
from weir.flow.outcome import AutomationOutcome, Outcome, Problem
from weir.flow.session import Session, open_session
from weir.flow.settings import PREFIX, read_settings
from weir.flow.tidy import tidy
from weir.render.substitute import SecretText, output_variables
from weir.spec.errors import RenderError, WeirError
from weir.spec.identity import UnitId

STACKS: Final = Path(__file__).resolve().parents[1] / "stacks"
"""Where relative `weir:objects` start."""
OUTPUT_WAIT: Final = 60.0
"""Seconds to wait for another stack's outputs."""
_READ_OUTPUTS: Final = "pulumi:pulumi:readStackOutputs"
"""The engine's own function behind StackReference; it answers in previews too."""


async def declare() -> None:
    """Register the stack's units. Ends with RunError when the tree is incomplete: then nothing is removed."""
    try:
        config = read_settings(pulumi.get_stack(), _own_config(), f"stack {pulumi.get_stack()}")
    except WeirError as err:
        raise pulumi.RunError(str(err)) from err
    outputs = StackOutputs(asyncio.get_running_loop())
    session = open_session(config, STACKS, Run.current(), outputs.read, wary=True)
    _refuse_other_cluster(session)
    cluster = Cluster(config.name, {"config": config.cluster})
    registry = Registry(cluster, session.clusters, session.run)
    queue = _produce(session, registry)
    while (outcome := await queue.get()) is not None:
        registry.add(outcome)
    orphans = list(filter(None, os.environ.get("WEIR_ORPHANS", "").split(",")))
    if orphans and registry.whole:
        # in a tree that is not, a unit that is missing may still be declared
        backend = state_home(STACKS, os.environ)
        for orphan in orphans:
            registry.add_orphan(UnitId.parse(orphan), backend)
    _keep_notices(session, whole=registry.whole)
    await registry.finish(session.ahead.unsupported)


def _refuse_other_cluster(session: Session) -> None:
    """Before anything is written, also for a unit that is new. Raises RunError."""
    known = tuple(filter(None, os.environ.get(CLUSTERS, "").split(",")))
    try:
        here = session.clusters.uid if known else ""
    except WeirError:
        return  # every unit says what is wrong
    try:
        session.clusters.refuse_other(known if here else ())
    except WeirError as err:
        raise pulumi.RunError(str(err)) from err


def _keep_notices(session: Session, *, whole: bool) -> None:
    """Say what is wrong with Alerts and Providers, and leave the others for whoever delivers notifications."""
    stack = session.config.name
    if not notices.wanted(session.run, stack):
        return
    for problem in notices.read_announced(session.run).problems:
        pulumi.log.warn(problem)
    if not pulumi.runtime.is_dry_run():
        try:
            notices.keep(session.run, stack, whole=whole)
        except OSError as err:
            pulumi.log.warn(f"notifications cannot be kept on this machine: {err.strerror}")


def _own_config() -> Mapping[str, str]:
    """All `weir:` settings of the stack, so that unknown keys can be refused."""
    found = json.loads(os.environ.get("PULUMI_CONFIG") or "{}")
    return {key.removeprefix(PREFIX): value for key, value in found.items() if key.startswith(PREFIX)}


def _produce(session: Session, registry: Registry) -> asyncio.Queue[Outcome | None]:
    """Run the look ahead in a thread, so that units are registered and applied while others are still resolved."""
    queue: asyncio.Queue[Outcome | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def pushed(outcome: AutomationOutcome) -> bool:
        return asyncio.run_coroutine_threadsafe(registry.pushed(outcome), loop).result()

    def work() -> None:
        try:
            for outcome in session.ahead.outcomes(pushed):
                if isinstance(outcome, AutomationOutcome) and outcome.commit and outcome.proposal:
                    _plan_proposal(session, outcome)
                loop.call_soon_threadsafe(queue.put_nowait, outcome)
        except Exception as err:  # noqa: BLE001 - a tree that looks complete and is not would delete units
            # without the errors' texts, which may hold values of secrets
            pulumi.log.debug("".join(traceback.format_tb(err.__traceback__)))
            loop.call_soon_threadsafe(
                queue.put_nowait, Problem("stack", f"the look ahead ended early: {_said(err)}")
            )
        finally:
            loop.call_soon_threadsafe(queue.put_nowait, None)
        tidy(session.store)

    threading.Thread(target=work, name="ahead", daemon=True).start()
    return queue


def _said(err: Exception) -> str:
    """The error's own sentence; of an unexpected one only its type."""
    if isinstance(err, WeirError):
        return str(err)
    return f"unexpected {type(err).__name__}; run again with --debug for details"


def _plan_proposal(session: Session, outcome: AutomationOutcome) -> None:
    """What a proposed commit would change in the cluster: into the run's folder, for the pull request, and shown."""
    from weir.cli.format import format_diff
    from weir.cli.proposals import plan_proposal

    plans = plan_proposal(session, outcome)
    pulumi.log.info(
        f"once {outcome.branch} is merged:\n{format_diff(plans, 'table', stack=session.config.name)}"
    )


class StackOutputs:
    """Outputs of other stacks, asked of the engine from the threads that render."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._known: dict[str, Mapping[str, str] | RenderError | None] = {}

    def read(self, stack: str) -> Mapping[str, str] | None:
        """All outputs of a stack that can be variables, None when there is no such stack. Each is asked for once.

        Raises:
            RenderError: they cannot be read; names the stack.
        """
        with self._lock:
            if stack not in self._known:
                self._known[stack] = self._ask(stack)
            found = self._known[stack]
        if isinstance(found, RenderError):
            raise found
        return found

    def _ask(self, stack: str) -> Mapping[str, str] | RenderError | None:
        asked = asyncio.run_coroutine_threadsafe(_ask(stack), self._loop)
        try:
            return asked.result(OUTPUT_WAIT)
        except RenderError as err:
            return err
        except TimeoutError:
            asked.cancel()
            return _unread(stack, f"no answer within {OUTPUT_WAIT:.0f} seconds")


async def _ask(stack: str) -> Mapping[str, str] | None:
    """Outputs that can be variables; None when there is no such stack. Raises RenderError when they cannot be read.

    A StackReference would not do: one that fails ends the run, or with --continue-on-error looks like an absent stack.
    """
    try:
        found = await pulumi.runtime.invoke_async(_READ_OUTPUTS, {"name": stack})
    except Exception as err:  # the engine's only type
        if f'unknown stack "{stack}"' in str(err):
            return None
        raise _unread(stack, "the backend does not give them") from err
    texts = output_variables(found.get("outputs") or {})
    secrets = set(found.get("secretOutputNames") or ())
    return {key: SecretText(text) if key in secrets else text for key, text in texts.items()}


def _unread(stack: str, why: str) -> RenderError:
    """Without the error's text, which may hold a backend's credentials."""
    hint = f"check the backend and your login; `pulumi stack output --stack {stack}` tells more"
    return RenderError(f"StackOutput/{stack}: its outputs cannot be read: {why}", hint=hint)
