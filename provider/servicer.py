"""The gRPC face of the plugin: wire messages in and out, work in threads, errors without tracebacks."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
from google.protobuf import any_pb2, empty_pb2

from provider.engine import Engine
from provider.props import Props, from_struct, property_path, to_struct
from provider.protocol import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2
from provider.unit import Failed, UnitProvider
from weir.spec.errors import WeirError

VERSION = "0.1.0"
_MOST: Final = 256
"""Units that are applied, or wait for health, at a time: as many as the engine asks for, within reason."""
_KINDS = {
    "add": provider_pb2.PropertyDiff.ADD,
    "update": provider_pb2.PropertyDiff.UPDATE,
    "delete": provider_pb2.PropertyDiff.DELETE,
}
_SCHEMA = '{"name": "weir", "version": "0.1.0", "resources": {"weir:kustomize:Kustomization": {}}}'


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Every call of the engine, forwarded to the unit provider in a thread and awaited here."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._stop = threading.Event()
        self._unit: UnitProvider | None = None
        self._applies = ThreadPoolExecutor(_MOST, thread_name_prefix="apply")

    @property
    def unit(self) -> UnitProvider:
        """The configured provider."""
        if self._unit is None:
            raise WeirError("the provider was called before it was configured")
        return self._unit

    async def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """The plugin's version."""
        return plugin_pb2.PluginInfo(version=VERSION)

    async def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """A schema that names the one resource; its component is the typed face."""
        return provider_pb2.GetSchemaResponse(schema=_SCHEMA)

    async def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """The configuration as it is; the program checked it."""
        return provider_pb2.CheckResponse(inputs=request.news)

    async def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Changed settings are an update, never a replacement: the cluster's uid proves that it is the same.

        Without a difference the engine configures the plugin with the settings of the run before.
        """
        same = request.old_inputs == request.news
        none, some = provider_pb2.DiffResponse.DIFF_NONE, provider_pb2.DiffResponse.DIFF_SOME
        return provider_pb2.DiffResponse(changes=none if same else some)

    async def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Take the stack's `weir:` settings."""
        self._unit = UnitProvider(from_struct(request.args), self._engine, self._stop)
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=True)

    async def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """`weir:index:ready {stack}`: the program asks early, so that the plugin is up, and reads, when units come."""
        self.unit.look_ahead(from_struct(request.args)["stack"])
        return provider_pb2.InvokeResponse()

    async def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Stop writing within two seconds. Also comes at every normal end."""
        self._stop.set()
        return empty_pb2.Empty()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Plan. Never fails: a failing check would end the run for every unit."""
        inputs = await asyncio.to_thread(
            self.unit.check, request.urn, from_struct(request.olds), from_struct(request.news)
        )
        return provider_pb2.CheckResponse(inputs=to_struct(inputs))

    async def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """What changes, one property path per object field."""
        paths = self.unit.diff(from_struct(request.old_inputs), from_struct(request.news))
        some = provider_pb2.DiffResponse.DIFF_SOME if paths else provider_pb2.DiffResponse.DIFF_NONE
        detailed = {
            property_path(*path): provider_pb2.PropertyDiff(kind=_KINDS[kind], inputDiff=True)
            for path, kind in paths.items()
        }
        return provider_pb2.DiffResponse(
            changes=some,
            diffs=sorted({path[0] for path in paths}),
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    async def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Apply the unit for the first time."""
        inputs = from_struct(request.properties)
        name = inputs.get("unit", request.urn)
        if request.preview:
            return provider_pb2.CreateResponse(properties=to_struct(inputs))
        outputs = await self._apply(request, context, name, inputs)
        return provider_pb2.CreateResponse(id=name, properties=to_struct(outputs))

    async def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Apply the unit again."""
        inputs = from_struct(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=to_struct(inputs))
        outputs = await self._apply(request, context, request.id, inputs)
        return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    async def _apply(self, request: Any, context: Any, name: str, inputs: Props) -> Props:
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(
                self._applies, self.unit.apply, request.urn, inputs, request.timeout
            )
        except Failed as err:
            await _abort_partial(context, name, err, inputs)
        except WeirError as err:
            await context.abort(grpc.StatusCode.UNKNOWN, str(err))
        raise AssertionError("abort returned")

    async def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Remove the unit's objects by its deletion policy."""
        try:
            await asyncio.to_thread(self.unit.delete, request.urn, from_struct(request.properties))
        except WeirError as err:
            await context.abort(grpc.StatusCode.UNKNOWN, str(err))
        return empty_pb2.Empty()

    async def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The unit as the cluster knows it."""
        try:
            outputs, inputs = await asyncio.to_thread(
                self.unit.read,
                request.urn,
                request.id,
                from_struct(request.properties),
                from_struct(request.inputs),
            )
        except WeirError as err:
            await context.abort(grpc.StatusCode.UNKNOWN, str(err))
        if outputs is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id, properties=to_struct(outputs), inputs=to_struct(inputs)
        )


async def _abort_partial(context: Any, name: str, err: Failed, inputs: Props) -> None:
    """End a call so that the engine keeps the outputs and tries again at the next update."""
    details = provider_pb2.ErrorResourceInitFailed(
        id=name, properties=to_struct(err.outputs), reasons=[str(err)], inputs=to_struct(inputs)
    )
    packed = any_pb2.Any()
    packed.Pack(details)
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(err), details=[packed])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    with contextlib.suppress(grpc.RpcError):
        await context.abort(
            grpc.StatusCode.UNKNOWN, str(err), (("grpc-status-details-bin", status.SerializeToString()),)
        )
