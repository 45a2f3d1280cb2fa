"""The stack's cluster, connected when first needed, and what runs read from it beside objects."""

from __future__ import annotations

import base64
import threading
from collections.abc import Collection, Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final

import orjson

from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Discovery
from weir.edges.kube.errors import KubeStatusError, UnknownKindError
from weir.edges.kube.kubeconfig import Access, load, load_untrusted
from weir.edges.kube.records import Records
from weir.edges.kube.writing import cluster_uid
from weir.objects.annotations import ALLOW_CLUSTER
from weir.spec.errors import ClusterError, SpecError
from weir.spec.identity import UnitId
from weir.spec.kustomization import KustomizationSpec
from weir.spec.record import UnitRecord
from weir.spec.stack import ClusterConfig, OptionsConfig

_OWN: Final = 5.0
"""Seconds for which a unit's own cluster may say nothing at first: the other units wait for it."""
_UNTOLD: Final = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
"""Answers to an account that may not know the identity of its cluster, and of a cluster without one."""
_FLUX: Final = "kustomize.toolkit.fluxcd.io"


class _Remote:
    """The identity of the cluster that a kubeconfig leads to, asked for once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answer: str | ClusterError | None = None

    def uid(self, kube: Kube) -> str | ClusterError:
        """Its uid, or why the account of the kubeconfig does not get it. Raises ClusterError when it is away."""
        with self._lock:
            if self._answer is None:
                try:
                    self._answer = cluster_uid(kube.acting_as(""))
                except ClusterError as err:
                    cause = err.__cause__
                    if not isinstance(cause, KubeStatusError) or cause.status not in _UNTOLD:
                        raise
                    self._answer = err
            return self._answer


class Clusters:
    """Connections of one run: the main cluster, and per unit the target cluster and identity."""

    def __init__(
        self,
        config: ClusterConfig,
        options: OptionsConfig,
        stack: str,
        *,
        stop: threading.Event | None = None,
    ) -> None:
        """`stop` ends questions about what clusters serve."""
        self._config = config
        self._stop = stop
        self.options = options
        self._stack = stack
        self._lock = threading.Lock()
        self._targets: dict[tuple[str, ...], tuple[bytes, Kube, Discovery]] = {}
        """(kubeconfig's Secret and key, identity) -> the kubeconfig, and the connection that it gave."""
        self._remotes: dict[Access, _Remote] = {}

    @cached_property
    def main(self) -> Kube:
        """The stack's own cluster. Raises ClusterError."""
        return Kube(load(self._config.kubeconfig, self._config.context))

    def drop_idle(self) -> None:
        """Close the connections that nobody uses at present; whoever asks again opens new ones."""
        main = [self.main] if "main" in self.__dict__ else []
        with self._lock:
            for kube in (*main, *(kube for _, kube, _ in self._targets.values())):
                kube.drop_idle()

    @property
    def stack(self) -> str:
        """The stack that the connections are for."""
        return self._stack

    @property
    def record_namespace(self) -> str:
        """Where the unit records, and the Events about them, are kept on the main cluster."""
        return self._config.record_namespace

    @cached_property
    def records(self) -> Records:
        """The unit records of this stack."""
        return Records(self.main, self._config.record_namespace, self._stack)

    @cached_property
    def uid(self) -> str:
        """The main cluster's identity: the uid of its kube-system namespace."""
        return cluster_uid(self.main)

    def refuse_other(self, expected: Collection[str]) -> None:
        """Refuse a main cluster that is not among those, by uid, where the stack's objects are; none means any.

        Raises:
            ClusterError: it is another one, or it does not say which.
        """
        if expected and self.uid not in expected:
            raise ClusterError(
                f"stack {self._stack}: its kubeconfig leads to {self.main.server} (cluster {self.uid}), "
                f"expected cluster {', '.join(sorted(expected))}, where its objects are",
                hint="correct weir:cluster, or use another stack for the other cluster",
            )

    def target(self, spec: KustomizationSpec) -> tuple[Kube, Discovery]:
        """The cluster and identity a unit applies with (kubeConfig, serviceAccountName).

        A kubeconfig is read again each time, as its token may be a new one, or its cluster another.
        """
        account = spec.service_account or self.options.default_service_account
        user = f"system:serviceaccount:{spec.id.namespace}:{account}" if account else ""
        key = (
            spec.kube_config_secret and spec.id.namespace,
            spec.kube_config_secret,
            spec.kube_config_key,
            user,
        )
        where, text = self._kubeconfig(spec) if spec.kube_config_secret else ("", b"")
        with self._lock:
            if key not in self._targets or self._targets[key][0] != text:
                if key in self._targets:
                    self._remotes.pop(self._targets[key][1].access, None)
                kube = self._connect(where, text, user)
                asked = kube.until(self._stop) if self._stop else kube
                self._targets[key] = (text, kube, Discovery(asked))
            return self._targets[key][1:]

    def confirm(self, kube: Kube, spec: KustomizationSpec, record: UnitRecord | None) -> str:
        """The identity of a unit's remote cluster, certain to be the one where the unit's objects are.

        Empty for the stack's own cluster, and where neither the record nor the cluster tells it. A record that does
        not tell it takes what is found.

        Args:
            kube: what `target` gave for this spec.
            spec: the unit's; it may say that a move is meant (`weir.dev/allow-cluster`).
            record: of what was applied last.

        Raises:
            ClusterError: the objects are in another cluster, or it cannot be seen whether they are.
        """
        found = self._remote(kube) if spec.kube_config_secret else ""
        home = self._home(spec, record) if record and record.inventory else ""
        if isinstance(found, ClusterError):
            if home:
                raise found
            return ""
        here = found or (self.uid if home else "")
        if record is None or home in ("", here) or spec.annotations.get(ALLOW_CLUSTER) == here:
            return found
        secret = f"Secret/{spec.id.namespace}/{spec.kube_config_secret}"
        where = f"its kubeconfig in {secret}" if spec.kube_config_secret else "without spec.kubeConfig, it"
        raise ClusterError(
            f"{record.id}: {where} leads to {kube.server} (cluster {here}), expected cluster {home}, "
            f"where its {len(record.inventory)} objects are",
            hint="put back what led there; or, when the unit moves and leaves them behind, annotate it with "
            f"{ALLOW_CLUSTER}: {here}; when it goes and leaves them, `weir suspend` it first",
        )

    def _remote(self, kube: Kube) -> str | ClusterError:
        with self._lock:
            remote = self._remotes.setdefault(kube.access, _Remote())
        return remote.uid(kube.until(self._stop) if self._stop else kube)

    def _home(self, spec: KustomizationSpec, record: UnitRecord) -> str:
        """The identity of the cluster where a unit's objects are; empty when the record does not tell."""
        if record.cluster or not spec.kube_config_secret or not record.document:
            return record.cluster
        body = orjson.loads(record.document).get("spec") or {}
        return "" if body.get("kubeConfig") else self.uid

    def _connect(self, where: str, text: bytes, user: str) -> Kube:
        if not where:
            return self.main.acting_as(user) if user else self.main
        access = load_untrusted(text.decode("utf-8", "replace"), where)
        return Kube(access, impersonate=user).wary(_OWN)

    def _kubeconfig(self, spec: KustomizationSpec) -> tuple[str, bytes]:
        """Where a unit's kubeconfig stands, and what it says. Raises ClusterError, SpecError."""
        data = self.secret(spec.id.namespace, spec.kube_config_secret)
        keys = [spec.kube_config_key] if spec.kube_config_key else ["value", "value.yaml"]
        for key in keys:
            if key in data:
                return f"Secret/{spec.id.namespace}/{spec.kube_config_secret}: {key}", data[key]
        where = f"Secret/{spec.id.namespace}/{spec.kube_config_secret}"
        raise SpecError.at(where, "data", found=sorted(data), expected=" or ".join(keys))

    def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """The data of a Secret on the main cluster. Raises ClusterError when absent or unreadable."""
        data = self.find_secret(namespace, name)
        if data is None:
            hint = "create it, or correct the name of the reference"
            raise ClusterError(f"Secret/{namespace}/{name}: found nothing, expected a Secret", hint=hint)
        return data

    def find_secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """The data of a Secret on the main cluster, None when absent. Raises ClusterError."""
        data = self._data("secrets", namespace, name)
        return None if data is None else {key: base64.b64decode(value) for key, value in data.items()}

    def values(self, kind: str, namespace: str, name: str) -> Mapping[str, str] | None:
        """The texts of a ConfigMap or Secret on the main cluster, None when absent."""
        if kind == "ConfigMap":
            return self._data("configmaps", namespace, name)
        data = self._data("secrets", namespace, name)
        return data and {
            key: base64.b64decode(value).decode("utf-8", "replace") for key, value in data.items()
        }

    def pull_secrets(self, namespace: str, account: str) -> tuple[str, ...] | None:
        """The imagePullSecrets of a ServiceAccount on the main cluster, None when it is absent. Raises ClusterError."""
        found = self._object(f"namespaces/{namespace}/serviceaccounts/{account}")
        if found is None:
            return None
        return tuple(item["name"] for item in found.get("imagePullSecrets") or () if item.get("name"))

    def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """The labels of a namespace on the main cluster; of one that is absent, those it will have for certain.

        Raises:
            ClusterError: they cannot be read.
        """
        found = self._object(f"namespaces/{namespace}")
        labels = found["metadata"].get("labels") if found else None
        return {"kubernetes.io/metadata.name": namespace, **(labels or {})}

    def _data(self, resource: str, namespace: str, name: str) -> Mapping[str, str] | None:
        found = self._object(f"namespaces/{namespace}/{resource}/{name}")
        return found and dict(found.get("data") or {})

    def _object(self, path: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.main.request("GET", f"/api/v1/{path}")
        except KubeStatusError as err:
            if err.absent:
                return None
            raise
        return found

    @cached_property
    def flux_units(self) -> frozenset[UnitId]:
        """Kustomizations that Flux still reconciles on the main cluster: live, and not suspended.

        Raises:
            ClusterError: it serves such objects, or may do so, and they cannot be listed.
        """
        try:
            items = self.main.request("GET", f"/apis/{_FLUX}/v1/kustomizations").get("items") or []
        except KubeStatusError as err:
            if err.status != HTTPStatus.NOT_FOUND:
                raise
            items = self._older_flux_units()
        active = [item["metadata"] for item in items if not (item.get("spec") or {}).get("suspend")]
        return frozenset(UnitId("Kustomization", meta["namespace"], meta["name"]) for meta in active)

    def _older_flux_units(self) -> list[dict[str, Any]]:
        """Kustomizations of a Flux that does not serve v1 yet; none when the whole group is not served."""
        try:
            self.main.request("GET", f"/apis/{_FLUX}")
            path = Discovery(self.main).any_version(_FLUX, "Kustomization").path()
        except KubeStatusError as err:
            if err.status != HTTPStatus.NOT_FOUND:
                raise
            return []
        except UnknownKindError:
            return []
        return list(self.main.request("GET", path).get("items") or [])
