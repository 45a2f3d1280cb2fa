"""Rights of ServiceAccounts in single namespaces."""

from __future__ import annotations

from tests.support.kube import Kube

_GROUP = "rbac.authorization.k8s.io"


def user_of(namespace: str, account: str = "default") -> str:
    """The user name of a ServiceAccount."""
    return f"system:serviceaccount:{namespace}:{account}"


def grant(kube: Kube, namespace: str, *verbs: str, account: str = "default", home: str = "") -> None:
    """Give a ServiceAccount of the namespace `home`, by default the same, these verbs on everything in a namespace."""
    home = home or namespace
    subject = {"kind": "ServiceAccount", "name": account, "namespace": home}
    kube.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": home}}
    )
    meta = {"name": "-".join((account, *verbs)).replace("*", "all"), "namespace": namespace}
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": list(verbs)}]
    kube.apply({"apiVersion": f"{_GROUP}/v1", "kind": "Role", "metadata": meta, "rules": rules})
    kube.apply(
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": _GROUP, "kind": "Role", "name": meta["name"]},
            "subjects": [subject],
        }
    )
