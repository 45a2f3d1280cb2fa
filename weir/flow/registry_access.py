"""What the cluster says about reaching registries: Secrets and ServiceAccounts turned into an Access.

Rules: https://fluxcd.io/flux/components/image/imagerepositories/ (`secretRef`, `serviceAccountName`, `certSecretRef`,
`proxySecretRef`) and, for workloads, https://kubernetes.io/docs/concepts/containers/images/#using-a-private-registry
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from weir.edges.registry.access import TIMEOUT, Access, read_certificates, read_proxy
from weir.edges.registry.docker_config import DockerConfig, read_docker_config
from weir.flow.clusters import Clusters
from weir.spec.errors import ClusterError, SourceError, SpecError
from weir.spec.fields import NAME
from weir.spec.image_repository import ImageRepositorySpec

DEFAULT_ACCOUNT: Final = "default"
"""The ServiceAccount of pods that name none."""

_OLD_NAMES: Final = {"ca.crt": "caFile", "tls.crt": "certFile", "tls.key": "keyFile"}
"""Keys of certificates that Flux still reads."""

T = TypeVar("T")


def repository_access(clusters: Clusters, spec: ImageRepositorySpec) -> Access:
    """How an ImageRepository's registry is reached.

    Raises:
        SpecError: a provider whose logins are not made here.
        SourceError: a Secret that does not hold what it is for.
        ClusterError: a Secret or ServiceAccount that is absent or cannot be read.
    """
    if spec.provider != "generic":
        hint = "give a Docker config in spec.secretRef, and let a job in the cluster renew it"
        raise SpecError.at(spec.where, "spec.provider", found=spec.provider, expected="generic", hint=hint)
    namespace = spec.id.namespace
    names = [spec.secret] if spec.secret else []
    if spec.service_account:
        names += _account_secrets(clusters, namespace, spec.service_account)
    certificates = (
        _read(clusters, namespace, spec.cert_secret, read_certificate_secret) if spec.cert_secret else {}
    )
    return Access(
        logins=_logins([_read(clusters, namespace, name, _read_logins) for name in names]),
        proxy=_read(clusters, namespace, spec.proxy_secret, read_proxy) if spec.proxy_secret else "",
        insecure=spec.insecure,
        timeout=_timeout(spec),
        **certificates,
    )


def workload_access(
    clusters: Clusters, namespace: str, secrets: Iterable[str], account: str, *, insecure: bool
) -> tuple[Access, tuple[str, ...]]:
    """How the registry of a pod's image is reached: its own imagePullSecrets, then those of its ServiceAccount.

    What is absent or no Docker config is passed over, as by the kubelet; the second value says why, for when the
    registry refuses. `insecure` means plain HTTP.

    Raises:
        ClusterError: the cluster gives no answer.
    """
    account = account or DEFAULT_ACCOUNT
    own = clusters.pull_secrets(namespace, account) if NAME.fullmatch(account) else None
    logins: list[DockerConfig] = []
    passed: list[str] = []
    for name in dict.fromkeys((*secrets, *(own or ()))):
        data = clusters.find_secret(namespace, name) if NAME.fullmatch(name) else None
        if data is None:
            passed.append(f"there is no Secret/{namespace}/{name}")
            continue
        try:
            logins.append(_read_logins(data))
        except SourceError as err:
            passed.append(_named(namespace, name, err).message)
    return Access(logins=_logins(logins), insecure=insecure), tuple(passed)


def _account_secrets(clusters: Clusters, namespace: str, account: str) -> tuple[str, ...]:
    names = clusters.pull_secrets(namespace, account)
    if names is None:
        hint = "create it, or correct spec.serviceAccountName"
        raise ClusterError(f"ServiceAccount/{namespace}/{account}: found nothing", hint=hint)
    return names


def _read(clusters: Clusters, namespace: str, name: str, read: Callable[[Mapping[str, bytes]], T]) -> T:
    data = clusters.secret(namespace, name)
    try:
        return read(data)
    except SourceError as err:
        raise _named(namespace, name, err) from err


def _named(namespace: str, name: str, err: SourceError) -> SourceError:
    return SourceError(f"Secret/{namespace}/{name}: {err.message.removeprefix('Secret: ')}", hint=err.hint)


def _read_logins(data: Mapping[str, bytes]) -> DockerConfig:
    return read_docker_config([data])


def read_certificate_secret(data: Mapping[str, bytes]) -> dict[str, bytes]:
    """The fields `ca`, `certificate` and `key` of connections from a `certSecretRef`. Raises SourceError."""
    found = {key: data.get(key) or data.get(old, b"") for key, old in _OLD_NAMES.items()}
    if not any(found.values()):
        expected = "ca.crt, or tls.crt and tls.key"
        raise SourceError(
            f"certSecretRef: found none of its keys, expected {expected}", hint="complete the Secret"
        )
    return read_certificates(found)


def _logins(configs: Iterable[DockerConfig]) -> DockerConfig:
    return DockerConfig(tuple(entry for config in configs for entry in config.entries))


def _timeout(spec: ImageRepositorySpec) -> float:
    """Seconds; the interval, which is the default of spec.timeout, is no time for a person to wait."""
    return min(spec.timeout, TIMEOUT) if spec.timeout == spec.interval else spec.timeout
