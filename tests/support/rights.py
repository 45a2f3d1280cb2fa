"""Rights of ServiceAccounts in single namespaces."""

from __future__ import annotations

from tests.support.kube import Kube, wait_for

_GROUP = "rbac.authorization.k8s.io"


def user_of(namespace: str, account: str = "default") -> str:
    """The user name of a ServiceAccount."""
    return f"system:serviceaccount:{namespace}:{account}"


def grant(kube: Kube, namespace: str, *verbs: str, account: str = "default", home: str = "") -> None:
    """Give a ServiceAccount of the namespace `home`, by default the same, these verbs on everything in a namespace.

    The API server grants them when this returns.
    """
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
    wait_for(lambda: all(_may(kube, user_of(home, account), home, verb, namespace) for verb in verbs))


def _may(kube: Kube, user: str, home: str, verb: str, namespace: str) -> bool:
    """Whether the API server lets a ServiceAccount of `home` do this to everything in a namespace."""
    spec = {
        "user": user,
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{home}", "system:authenticated"],
        "resourceAttributes": {"namespace": namespace, "verb": verb, "group": "*", "resource": "*"},
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": spec,
    }
    return bool(kube.apply(review)["status"]["allowed"])
