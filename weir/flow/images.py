"""Which image every ImagePolicy, and every container of a Flux 1 workload, should use now.

    registries = Registries(clusters)
    candidates = registries.candidates(policy, repositories)
    choice = candidates.choose(Image.parse("ghcr.io/org/app:1.2.3"))

Rules: https://fluxcd.io/flux/components/image/imagepolicies/ and, for workloads,
https://github.com/fluxcd/flux/blob/master/docs/references/automated-image-update.md
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from weir.edges.folders import cache_root
from weir.edges.kept import Kept
from weir.edges.registry.errors import DeniedError, MissingError
from weir.edit.image import Image
from weir.flow.clusters import Clusters
from weir.flow.image_choice import BuildDates, Choice, Line, choose, hold
from weir.flow.once import Once
from weir.select.tags import TagPolicy, counted
from weir.select.workload_tags import WorkloadPattern
from weir.spec.errors import SourceError, SpecError, StopRequested, WeirError
from weir.spec.go_regexp import Pattern
from weir.spec.identity import UnitId
from weir.spec.image_name import ImageName, parse_image_name
from weir.spec.image_policy import ImagePolicySpec, MoveRules
from weir.spec.image_repository import EXCLUDED, ImageRepositorySpec, may_use
from weir.spec.loopback import is_local

if TYPE_CHECKING:
    from weir.edges.registry.access import Access
    from weir.edges.registry.client import Client
    from weir.flow.image_scans import Repository

_NO_IMAGES: Final = tuple(Pattern.parse(text, "", "") for text in EXCLUDED)
"""Tags that are left out for workloads too."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The tags of an ImageRepository."""

    image: ImageName
    tags: tuple[str, ...]
    """What the exclusion list leaves, in the registry's order."""
    at: float
    """When the registry said so, in seconds since the epoch."""
    error: SourceError | None = None
    """Why these are the last good tags and not the present ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of a workload that follows its image as in Flux 1."""

    where: str
    """`file: Kind/namespace/name: container`, for messages."""
    namespace: str
    image: Image
    """In use."""
    pattern: WorkloadPattern
    moves: MoveRules = field(default_factory=MoveRules)
    pull_secrets: tuple[str, ...] = ()
    """Names of the pod's imagePullSecrets."""
    service_account: str = ""
    """Of the pod; empty for the namespace's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """An ImagePolicy that is ready to choose."""

    spec: ImagePolicySpec
    name: str
    """The name of the image as its ImageRepository writes it."""
    line: Line | None
    """None when the policy is suspended."""
    choices: Once[Image | None, Choice]

    def choose(self, current: Image | None) -> Choice:
        """What should be used where `current` is in use; a suspended policy keeps that. Thread-safe.

        Raises:
            SourceError: nothing is in use and the registry gives no answer.
            StopRequested: the run was cancelled.
        """
        line = self.line
        if line is None:
            return hold(current, f"{self.spec.id} is suspended")
        return self.choices.get(current, lambda: choose(line, current))


class Registries:
    """What all registries say in one run. Thread-safe: each question is asked once, whoever wants to know."""

    def __init__(
        self,
        clusters: Clusters,
        kept: Kept | None = None,
        *,
        stop: threading.Event | None = None,
        now: Callable[[], float] = time.time,
        same_namespace: bool = False,
    ) -> None:
        """`kept` outlives runs. With `same_namespace`, policies may not use another namespace's ImageRepository."""
        self._clusters = clusters
        self._kept = kept or Kept(cache_root() / "registries")
        self._stop = stop or threading.Event()
        self._now = now
        self._same_namespace = same_namespace
        self._scans: Once[UnitId, Scan] = Once()
        self._accesses: Once[UnitId, Access] = Once()
        self._pods: Once[tuple[str, tuple[str, ...], str, bool], tuple[Access, tuple[str, ...]]] = Once()
        self._clients: Once[Access, Client] = Once()
        self._repositories: Once[tuple[str, str], Repository] = Once()
        self._labels: Once[str, Mapping[str, str]] = Once()

    def scan(self, spec: ImageRepositorySpec) -> Scan:
        """The tags of an ImageRepository; the last good ones when it is suspended or the registry is down.

        Raises:
            SpecError: a field that cannot be followed.
            SourceError: no tags, now or from before, or no credentials; names the ImageRepository.
            StopRequested: the run was cancelled.
        """
        return self._scans.get(spec.id, lambda: _about(spec.where, lambda: self._scan(spec)))

    def candidates(
        self, policy: ImagePolicySpec, repositories: Mapping[UnitId, ImageRepositorySpec]
    ) -> Candidates:
        """A policy with the tags it chooses from. A suspended one asks nothing.

        Raises:
            SpecError: an ImageRepository that is missing or not for this policy, or a bad field of the policy.
            SourceError: no tags; names the policy and the ImageRepository.
            StopRequested: the run was cancelled.
        """
        declared = repositories.get(policy.repository)
        if policy.suspend:
            name = declared.image if declared else policy.repository.name
            return Candidates(spec=policy, name=name, line=None, choices=Once())
        repository = self._allowed(policy, declared)
        parsed = TagPolicy.parse(policy)
        scan = _about(policy.where, lambda: self.scan(repository))
        line = Line(
            where=f"{policy.where}: {repository.id}",
            name=_about(repository.where, lambda: Image(name=repository.image)).name,
            tags=scan.tags,
            policy=lambda _: parsed,
            moves=policy.moves,
            reflection=policy.digest_reflection,
            repository=self._repository(self._access(repository), scan.image),
            now=self._now,
            warnings=_outage(str(repository.id), scan.at, scan.error),
        )
        return Candidates(spec=policy, name=line.name, line=line, choices=Once())

    def choose_for(self, container: Container) -> Choice:
        """What a container should use from now on: its image, with another tag perhaps.

        Build dates are read only for patterns and rules that need them, and only of tags that match. An image that
        is pinned to a digest stays pinned.

        Raises:
            SpecError: the name of the image cannot be read.
            SourceError: no tags, or none with a date; names the container.
            StopRequested: the run was cancelled.
        """
        if not container.image.tag and container.pattern.by_date:
            return hold(
                container.image, "it names no tag, so its age is not known; write one to follow newer images"
            )
        return _about(container.where, lambda: choose(self._line_of(container), container.image))

    def line_of(self, container: Container) -> Line:
        """The tags that a container follows. Raises as `choose_for`."""
        return _about(container.where, lambda: self._line_of(container))

    def dates_of(self, spec: ImageRepositorySpec) -> BuildDates:
        """The tags of an ImageRepository, which know their build dates. Raises as `scan`."""
        scan = self.scan(spec)
        return BuildDates(self._repository(self._access(spec), scan.image), scan.tags)

    def _scan(self, spec: ImageRepositorySpec) -> Scan:
        image = parse_image_name(spec.image, "spec.image")
        repository = self._repository(self._access(spec), image)
        found = repository.last_scan() if spec.suspend else repository.scan()
        if found is None:
            hint = "let it scan once with spec.suspend: false"
            raise SourceError("it is suspended and its tags were never read", hint=hint)
        return Scan(image=image, tags=counted(spec, found.tags), at=found.at, error=found.error)

    def _line_of(self, container: Container) -> Line:
        image, pattern = parse_image_name(container.image.name), container.pattern
        access, passed = self._pod_access(container, image)
        repository = self._repository(access, image)
        try:
            found = repository.scan()
        except (DeniedError, MissingError) as err:
            hint = "; ".join(passed) or "check the image, and the imagePullSecrets of the workload"
            raise SourceError(err.message, hint=hint) from err
        tags = tuple(tag for tag in found.tags if not any(one.matches(tag) for one in _NO_IMAGES))
        return Line(
            where=container.where,
            name=container.image.name,
            tags=tags,
            dated=tuple(filter(pattern.matches, tags)) if pattern.by_date else (),
            policy=pattern.policy,
            moves=container.moves,
            reflection="IfNotPresent" if container.image.digest else "Never",
            repository=repository,
            now=self._now,
            warnings=_outage(image.canonical, found.at, found.error),
        )

    def _allowed(self, policy: ImagePolicySpec, spec: ImageRepositorySpec | None) -> ImageRepositorySpec:
        """The ImageRepository of a policy, when there is one and it may be used. Raises SpecError or SourceError."""
        namespace, wanted = policy.id.namespace, policy.repository
        field = "spec.imageRepositoryRef"
        if spec is None:
            hint = "declare it, or correct the reference"
            raise SpecError.at(
                policy.where, field, found=str(wanted), expected="an ImageRepository that exists", hint=hint
            )
        if wanted.namespace == namespace:
            return spec
        if self._same_namespace:
            hint = "weir:options.noCrossNamespaceRefs forbids references to other namespaces"
            raise SpecError.at(
                policy.where, field, found=str(wanted), expected="the same namespace", hint=hint
            )
        labels = _about(
            policy.where,
            lambda: self._labels.get(namespace, lambda: self._clusters.namespace_labels(namespace)),
        )
        if not may_use(spec, namespace, labels):
            expected = f"one whose spec.accessFrom lets namespace {namespace} in"
            hint = "add a selector of that namespace's labels to the ImageRepository"
            raise SpecError.at(policy.where, field, found=str(wanted), expected=expected, hint=hint)
        return spec

    def _access(self, spec: ImageRepositorySpec) -> Access:
        from weir.flow.registry_access import repository_access

        return self._accesses.get(spec.id, lambda: repository_access(self._clusters, spec))

    def _pod_access(self, container: Container, image: ImageName) -> tuple[Access, tuple[str, ...]]:
        from weir.flow.registry_access import workload_access

        # workloads name registries on this machine without saying that they speak plain HTTP; Docker takes it so too:
        # https://docs.docker.com/reference/cli/dockerd/#insecure-registries
        insecure = is_local(image.registry)
        key = (container.namespace, container.pull_secrets, container.service_account, insecure)
        return self._pods.get(key, lambda: workload_access(self._clusters, *key[:3], insecure=insecure))

    def _repository(self, access: Access, image: ImageName) -> Repository:
        from weir.edges.registry.client import Client
        from weir.flow.image_scans import Repository

        client = self._clients.get(access, lambda: Client(access, stop=self._stop))
        key = (image.canonical, access.fingerprint(image))
        return self._repositories.get(key, lambda: Repository(client, image, self._kept, self._now))


def _about(where: str, make: Callable[[], T]) -> T:
    """What `make` gives; its errors say whom they are about."""
    try:
        return make()
    except StopRequested:
        raise
    except WeirError as err:
        kind = SpecError if isinstance(err, SpecError) else SourceError
        message = err.message if where in err.message else f"{where}: {err.message}"
        raise kind(message, hint=err.hint) from err


def _outage(name: str, at: float, error: SourceError | None) -> tuple[str, ...]:
    if error is None:
        return ()
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    return (f"{name}: these are the tags of {moment}: {error}",)
