"""The first step of the program: the engine starts the plugin while the program is still being loaded."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Final

import pulumi

READY: Final = "weir:index:ready"
"""A function of the plugin: it begins to read what is live."""


async def start() -> None:
    """Declare the stack, see `components.program`. Raises RunError as that does."""
    asked = asyncio.ensure_future(_have_the_plugin_started())
    program = await asyncio.to_thread(import_module, "components.program")
    await program.declare()
    await asked


async def _have_the_plugin_started() -> None:
    """The engine starts a plugin when it is first asked for; one that does not start is reported by its units."""
    try:
        await pulumi.runtime.invoke_async(READY, {"stack": pulumi.get_stack()})
    except Exception as err:  # noqa: BLE001 - whatever it is, it only means that nothing was gained
        pulumi.log.debug(f"{READY}: {err}")
