"""Watcher: `weir watch` of one stack as a Deployment, with the rights it needs and no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from components import watcher_rights as rights
from components.watcher_pod import WatcherSpec, pod_template
from weir.spec.errors import SpecError

_RESOURCES: Final = {
    "requests": {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "1Gi"},
    "limits": {"memory": "2Gi", "ephemeral-storage": "6Gi"},
}
"""No limit of processor time: it would only make a reconcile slower. Without a request of its own, storage would be
reserved up to its limit, and small nodes would take no pod."""
_RBAC: Final = "rbac.authorization.k8s.io"
_ENFORCE: Final = "pod-security.kubernetes.io/enforce"


class SecretKey(TypedDict):
    """One key of a Secret in the watcher's namespace."""

    secret: str
    key: str


class WatcherArgs(TypedDict):
    """What a Watcher needs. Plain values shape the graph; the others may come from other resources."""

    stack: str
    image: pulumi.Input[str]
    """With a digest. It holds this program, its tools and `stacks/`; see docs/watcher.md."""
    backend_url: pulumi.Input[str]
    """Where the stack's state is: any URL that Pulumi takes."""
    passphrase: SecretKey
    namespace: NotRequired[str]
    """`weir-system`; the same as `weir:cluster` recordNamespace."""
    create_namespace: NotRequired[bool]
    """True: made here if need be, with the restricted standard enforced; it stays when the watcher goes."""
    replicas: NotRequired[int]
    """2: one leads, the other takes over within seconds."""
    environment_secret: NotRequired[str]
    """A Secret whose keys become environment variables: credentials of the backend."""
    state_claim: NotRequired[str]
    """A PersistentVolumeClaim for `file:///var/lib/weir`, mountable by all replicas."""
    hooks: NotRequired[bool]
    """False; True: receive webhooks on a Service."""
    accounts: NotRequired[Sequence[str]]
    """`namespace/name` of ServiceAccounts that units name: the watcher acts as these and applies nothing as itself."""
    grants: NotRequired[bool]
    """False; True: units may hold RBAC objects that grant what the watcher has not. It is an administrator then."""
    groups: NotRequired[Sequence[str]]
    """API groups of your custom resources."""
    resources: NotRequired[Mapping[str, Mapping[str, str]]]


class Watcher(pulumi.ComponentResource):
    """Namespace, account, rights and Deployment of one stack's watcher."""

    def __init__(self, name: str, args: WatcherArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("weir:index:Watcher", name, None, opts)
        spec = _spec(args)
        own = pulumi.ResourceOptions(parent=self)
        if args.get("create_namespace", True):
            own = pulumi.ResourceOptions(parent=self, depends_on=[self._namespace(spec.namespace)])
        meta = {"name": spec.name, "namespace": spec.namespace}
        kubernetes.core.v1.ServiceAccount(spec.name, metadata=meta, opts=own)
        for grant in _grants(spec, args):
            _bind(grant, meta, own)
        kubernetes.apps.v1.Deployment(
            spec.name,
            metadata={**meta, "labels": spec.labels},
            spec={
                "replicas": spec.replicas,
                "selector": {"matchLabels": spec.labels},
                "template": pod_template(spec),
            },
            opts=own,
        )
        if spec.hooks:
            ports = [{"name": "hooks", "port": 80, "targetPort": "hooks"}]
            kubernetes.core.v1.Service(
                spec.name, metadata=meta, spec={"selector": spec.labels, "ports": ports}, opts=own
            )
        self.register_outputs({})

    def _namespace(self, name: str) -> kubernetes.core.v1.Namespace:
        """Stays when the watcher goes: the records of all units are in it."""
        stays = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
        meta: dict[str, Any] = {"name": name, "labels": {_ENFORCE: "restricted"}}
        return kubernetes.core.v1.Namespace(name, metadata=meta, opts=stays)


@dataclass(frozen=True, slots=True)
class _Grant:
    """Rules in one namespace, or in all when it is empty."""

    name: str
    namespace: str
    rules: Sequence[rights.Rule]


def _grants(spec: WatcherSpec, args: WatcherArgs) -> Iterator[_Grant]:
    groups = args.get("groups", ())
    yield _Grant(spec.name, spec.namespace, rights.keeping())
    yield _Grant(f"{spec.name}-read", "", rights.reading(groups))
    accounts = args.get("accounts", ())
    for account in accounts:
        namespace, _, name = account.partition("/")
        yield _Grant(f"{spec.name}-as-{name}", namespace, rights.acting_as(name))
    if not accounts:
        more = rights.granting() if args.get("grants", False) else []
        yield _Grant(f"{spec.name}-apply", "", [*rights.applying(groups), *more])


def _bind(grant: _Grant, account: Mapping[str, str], opts: pulumi.ResourceOptions) -> None:
    """The role and its binding to the account."""
    rbac = kubernetes.rbac.v1
    name = f"{grant.namespace}/{grant.name}" if grant.namespace else grant.name
    meta = {"name": grant.name, **({"namespace": grant.namespace} if grant.namespace else {})}
    role, binding = (
        (rbac.Role, rbac.RoleBinding) if grant.namespace else (rbac.ClusterRole, rbac.ClusterRoleBinding)
    )
    role(name, metadata=meta, rules=grant.rules, opts=opts)
    kind = "Role" if grant.namespace else "ClusterRole"
    binding(
        name,
        metadata=meta,
        role_ref={"apiGroup": _RBAC, "kind": kind, "name": grant.name},
        subjects=[{"kind": "ServiceAccount", **account}],
        opts=opts,
    )


def _spec(args: WatcherArgs) -> WatcherSpec:
    """The arguments with their defaults. Raises SpecError."""
    for account in args.get("accounts", ()):
        if account.count("/") != 1:
            raise SpecError.at("Watcher", "accounts", found=account, expected="namespace/name")
    replicas = args.get("replicas", 2)
    if replicas < 1:
        raise SpecError.at("Watcher", "replicas", found=replicas, expected="1 or more")
    return WatcherSpec(
        stack=args["stack"],
        image=args["image"],
        backend_url=args["backend_url"],
        passphrase_secret=args["passphrase"]["secret"],
        passphrase_key=args["passphrase"]["key"],
        namespace=args.get("namespace", "weir-system"),
        replicas=replicas,
        environment_secret=args.get("environment_secret", ""),
        state_claim=args.get("state_claim", ""),
        hooks=args.get("hooks", False),
        resources=args.get("resources", _RESOURCES),
    )
