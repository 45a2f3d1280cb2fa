"""A stack's own settings: `weir:cluster`, `weir:objects`, `weir:source`, from Pulumi.<env>.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from weir.spec.errors import SpecError
from weir.spec.fields import Fields

_URL: Final = re.compile(r"(https?|ssh|file)://[^\s]+", re.ASCII)
KEYS: Final = ("cluster", "objects", "source", "options", "variables")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """Which cluster a stack reconciles."""

    kubeconfig: str = ""
    """Path; empty means $KUBECONFIG, else ~/.kube/config."""
    context: str = ""
    """Empty means the kubeconfig's current context."""
    namespaces: tuple[str, ...] = ()
    """Namespaces that the Cluster component creates."""
    service_accounts: tuple[str, ...] = ()
    """`namespace/name` of tenant ServiceAccounts, each bound to cluster role admin in its namespace."""
    record_namespace: str = "weir-system"
    """Where unit records live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """A Git repository and path that hold the stack's Flux objects."""

    url: str
    ref: str = "main"
    path: str = ""
    secret: str = ""
    """`namespace/name` of a Secret in the cluster with Flux's key names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionsConfig:
    """Switches, all off by default."""

    allow_file_urls: bool = False
    allow_empty: bool = False
    allow_mass_delete: bool = False
    no_cross_namespace_refs: bool = False
    default_service_account: str = ""
    former_stack: str = ""
    """Name of a stack whose units on this cluster this stack takes over."""
    require_passphrase: bool = False
    """Refuse to run `weir up` and its kin with an empty passphrase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """One stack: a cluster, where its Flux objects are, and options."""

    name: str
    cluster: ClusterConfig
    objects: str = ""
    source: SourceConfig | None = None
    options: OptionsConfig = OptionsConfig()
    variables: Mapping[str, str] = field(default_factory=dict)
    """`StackConfig` values for post-build substitution."""


def parse_stack(name: str, values: Mapping[str, Any], where: str) -> StackConfig:
    """The settings of a stack from its `weir:` configuration (keys without the prefix).

    Raises:
        SpecError: an unknown key, a wrong value, or not exactly one of `objects` and `source`.
    """
    fields = Fields(dict(values), where, "weir")
    config = StackConfig(
        name=name,
        cluster=_parse_cluster(fields.child("cluster")),
        objects=fields.text("objects", ""),
        source=_parse_source(fields.child("source")),
        options=_parse_options(fields.child("options")),
        variables=fields.text_map("variables"),
    )
    fields.done()
    if bool(config.objects) == bool(config.source):
        found = "both" if config.source else "neither"
        raise SpecError.at(where, "weir", found=found, expected="exactly one of weir:objects and weir:source")
    return config


def _parse_cluster(fields: Fields | None) -> ClusterConfig:
    if fields is None:
        return ClusterConfig()
    config = ClusterConfig(
        kubeconfig=fields.text("kubeconfig", ""),
        context=fields.text("context", ""),
        namespaces=fields.texts("namespaces"),
        service_accounts=fields.texts("serviceAccounts"),
        record_namespace=fields.name("recordNamespace", "weir-system"),
    )
    fields.done()
    for account in config.service_accounts:
        if account.count("/") != 1:
            raise fields.error("serviceAccounts", "namespace/name")
    return config


def _parse_source(fields: Fields | None) -> SourceConfig | None:
    if fields is None:
        return None
    config = SourceConfig(
        url=fields.text("url", form=_URL, expected="an http://, https:// or ssh:// URL"),
        ref=fields.text("ref", "main"),
        path=fields.text("path", ""),
        secret=fields.text("secret", ""),
    )
    fields.done()
    return config


def _parse_options(fields: Fields | None) -> OptionsConfig:
    if fields is None:
        return OptionsConfig()
    options = OptionsConfig(
        allow_file_urls=fields.boolean("allowFileUrls"),
        allow_empty=fields.boolean("allowEmpty"),
        allow_mass_delete=fields.boolean("allowMassDelete"),
        no_cross_namespace_refs=fields.boolean("noCrossNamespaceRefs"),
        default_service_account=fields.text("defaultServiceAccount", ""),
        former_stack=fields.text("formerStack", ""),
        require_passphrase=fields.boolean("requirePassphrase"),
    )
    fields.done()
    return options
