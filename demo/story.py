"""What the demo does, step by step, each looked at from outside before the next one starts."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from urllib3.exceptions import HTTPError

from demo.complaint import complaint
from demo.registry import Registry
from demo.rest import Rest, RestError
from demo.server import Repository
from demo.stack import Outcome, StackRun

ENVIRONMENTS: Final = ("dev", "staging", "production")
OWN: Final = "weir-demo"
"""The namespace of the Flux objects, their Secret and Weir's records."""
_IMAGE: Final = ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10.1")
_OFFERS: Final = ("1.0.0", "1.0.1")
_MARK: Final = "weir-sync/demo"
"""The tag that Weir keeps at the last applied commit."""
_GREETING: Final = ("Welcome to the shop", "Welcome back to the shop")


class Story:
    """The steps of the demo. Every step raises AssertionError when the cluster does not show what it promises."""

    def __init__(
        self,
        stack: StackRun,
        rest: Rest,
        repository: Repository,
        images: Registry,
        login: Mapping[str, str],
    ) -> None:
        self.stack = stack
        self.rest = rest
        self.repository = repository
        self.images = images
        self.login = login
        self.times: list[tuple[str, float]] = []
        self._begun = False

    def play(self) -> None:
        """All steps in order."""
        self.refuse_foreign()
        print(
            "State: a file in a temporary folder, encrypted with an empty passphrase. Git server and registry: on\n"
            "loopback, over plain http. Fine for a demo, nowhere else."
        )
        self.install()
        self.change()
        self.repair()
        self.prune()
        self.release()
        self.follow_image()
        self.take_image_back()
        self.remove()

    def refuse_foreign(self) -> None:
        """Stop before touching anything when an object of the demo's name is there already."""
        for api_version, kind, name in self._own():
            live = self.rest.get(api_version, kind, "", name)
            assert live is None, (
                f"{kind} {name} exists already; delete it if it is left from a demo, and run again"
            )
        self._begun = True

    def install(self) -> None:
        """First commit, first preview, first up: infrastructure before apps, in three environments."""
        with self._step("commit three environments, tag v1.0.0; push the image offers:1.0.0"):
            self.repository.commit("Open the shop")
            self.repository.tag("v1.0.0")
            self.images.push("offers", _OFFERS[0])
            self.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OWN}})
            login = {"metadata": {"name": "git-login", "namespace": OWN}, "stringData": dict(self.login)}
            self.rest.apply({"apiVersion": "v1", "kind": "Secret", **login})
        self._weir("preview everything that will be made", "preview")
        self._weir("install", "up")
        for environment in ENVIRONMENTS:
            for name in ("storefront", "orders"):
                self._expect_ready(environment, name)
        again = self._weir("up again: nothing changes", "up")
        assert "updated" not in again.out, "the second up changed something"

    def change(self) -> None:
        """One commit changes a text and an image; the preview names exactly these fields."""
        with self._step("commit a new greeting and a new image"):
            self._edit("apps/base/storefront/settings.yaml", *_GREETING)
            self._edit("apps/base/storefront/deployment.yaml", *_IMAGE)
            self.repository.commit("Greet customers who come back")
        shown = self._weir("preview: two objects, two fields, in dev and staging", "preview", "--diff")
        assert _GREETING[1] in shown.out, "the preview does not show the new greeting"
        assert _IMAGE[1] in shown.out, "the preview does not show the new image"
        self._weir("deploy the commit", "up")
        for environment, greeting in zip(ENVIRONMENTS, (*_GREETING[1:] * 2, _GREETING[0]), strict=True):
            live = self._live("v1", "ConfigMap", environment, "storefront")
            assert live["data"]["WELCOME"] == greeting, (
                f"{environment} greets with {live['data']['WELCOME']!r}"
            )

    def repair(self) -> None:
        """An object deleted by hand comes back."""
        with self._step("delete Service/weir-demo-staging/storefront by hand"):
            self.rest.delete("v1", "Service", "weir-demo-staging", "storefront")
        shown = self._weir("preview: one Service is missing", "preview", "--diff")
        assert "Service/weir-demo-staging/storefront" in shown.out, (
            "the preview does not name the missing Service"
        )
        self._weir("restore it", "up")
        self._live("v1", "Service", "staging", "storefront")

    def prune(self) -> None:
        """A manifest removed from Git is removed from the cluster."""
        with self._step("remove the nightly clean-up job from Git"):
            (self.repository.work / "apps/base/orders/cleanup.yaml").unlink()
            self._edit("apps/base/orders/kustomization.yaml", "  - cleanup.yaml\n", "")
            self.repository.commit("Stop the nightly clean-up")
        shown = self._weir("preview: the CronJob will be deleted", "preview", "--diff")
        assert "CronJob/weir-demo-dev/expired-carts" in shown.out, "the preview does not name the CronJob"
        self._weir("prune it", "up")
        for environment in ("dev", "staging"):
            self._expect_gone("batch/v1", "CronJob", f"weir-demo-{environment}", "expired-carts")
        self._live("batch/v1", "CronJob", "production", "expired-carts")

    def release(self) -> None:
        """Production follows tags: v1.1.0 brings it everything at once."""
        with self._step("tag v1.1.0"):
            self.repository.tag("v1.1.0")
        self._weir("production follows the tag", "up")
        live = self._live("v1", "ConfigMap", "production", "storefront")
        assert live["data"]["WELCOME"] == _GREETING[1], f"production greets with {live['data']['WELCOME']!r}"
        self._expect_gone("batch/v1", "CronJob", "weir-demo-production", "expired-carts")
        self._expect_ready("production", "storefront")

    def follow_image(self) -> None:
        """A newer image in the registry becomes a commit, and the commit is rolled out, in one run."""
        with self._step(f"push the image offers:{_OFFERS[1]}"):
            self.images.push("offers", _OFFERS[1])
        shown = self._weir("preview: the image, the commit and what it changes", "preview", "--diff")
        assert f"offers:{_OFFERS[0]} -> " in shown.out, "the preview does not show the image's change"
        self._weir("commit it and roll it out", "up")
        self._expect_offers(_OFFERS[1])

    def take_image_back(self) -> None:
        """The image in use disappears from the registry: its policy says to go back."""
        with self._step(f"delete offers:{_OFFERS[1]} from the registry"):
            self.images.untag("offers", _OFFERS[1])
        self._weir(f"go back to {_OFFERS[0]}, by a commit", "up")
        self._expect_offers(_OFFERS[0])

    def remove(self) -> None:
        """Destroy the stack: nothing of it is left in the cluster."""
        self._weir("remove everything", "destroy", "--yes")
        with self._step("wait until the namespaces are gone"):
            self.rest.delete("v1", "Namespace", "", OWN)
            for api_version, kind, name in self._own():
                self._expect_gone(api_version, kind, "", name)
        self._begun = False

    def leave_nothing(self) -> None:
        """Whatever happened before, ask for the removal of what the demo made, and of nothing else.

        What cannot be removed is named on standard error.
        """
        if not self._begun:
            return
        left: dict[str, list[str]] = {}
        for api_version, kind, name in self._own():
            try:
                with contextlib.suppress(KeyError):  # no such kind, so no such object
                    self.rest.delete(api_version, kind, "", name)
            except (RestError, HTTPError) as fault:
                left.setdefault(complaint(fault), []).append(f"{kind}/{name}".lower())
        for reason, names in left.items():
            print(
                f"\n✗ not removed: {', '.join(names)}: {reason}\n  To remove it: kubectl delete {' '.join(names)}",
                file=sys.stderr,
            )

    def print_times(self) -> None:
        """A table of what was done and how long each step took."""
        print("\nDone. What happened, and how long it took:\n")
        for number, (title, seconds) in enumerate(self.times, 1):
            print(f"  {number:2}  {seconds:6.1f} s  {title}")
        print(
            "\nNothing is left running. Passphrase of this demo's state: empty; your stacks need a real one."
        )

    def _own(self) -> list[tuple[str, str, str]]:
        """The cluster-scoped objects that the demo makes."""
        names = [*(f"weir-demo-{name}" for name in ENVIRONMENTS), OWN]
        return [
            *(("v1", "Namespace", name) for name in names),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "storefronts.demo.weir.example"),
            ("scheduling.k8s.io/v1", "PriorityClass", "weir-demo-customer-facing"),
            ("rbac.authorization.k8s.io/v1", "ClusterRole", "weir-demo-storefront-viewer"),
        ]

    @contextlib.contextmanager
    def _step(self, title: str) -> Iterator[None]:
        print(f"\n── {len(self.times) + 1}. {title}", flush=True)
        begin = time.monotonic()
        yield
        self.times.append((title, time.monotonic() - begin))

    def _weir(self, title: str, command: str, *arguments: str) -> Outcome:
        with self._step(title):
            words = " ".join(("weir", command, *arguments))
            print(f"   $ {words} --stack demo --config-file Pulumi.demo.yaml", flush=True)
            return self.stack.weir(command, *arguments).must()

    def _edit(self, path: str, old: str, new: str) -> None:
        file = self.repository.work / path
        text = file.read_text()
        assert old in text, f"{path}: found no {old!r}"
        file.write_text(text.replace(old, new))

    def _live(self, api_version: str, kind: str, environment: str, name: str) -> dict[str, Any]:
        live = self.rest.get(api_version, kind, f"weir-demo-{environment}", name)
        assert live is not None, f"{kind}/weir-demo-{environment}/{name} is not in the cluster"
        return live

    def _expect_offers(self, tag: str) -> None:
        image = f"{self.images.host}/offers:{tag}"
        spec = self._live("apps/v1", "Deployment", "dev", "offers")["spec"]["template"]["spec"]
        assert spec["containers"][0]["image"] == image, f"offers runs {spec['containers'][0]['image']}"
        last = self.repository.last("apps/dev/kustomization.yaml")
        assert f"newTag: {tag} #" in last.content, f"Git does not say {tag}:\n{last.content}"
        assert _MARK in last.tags, f"the tag {_MARK} is not at the commit that was applied"
        print(f"   Git: {last.author} committed {last.subject!r}; tag {_MARK} is there")

    def _expect_ready(self, environment: str, name: str) -> None:
        status = self._live("apps/v1", "Deployment", environment, name).get("status", {})
        ready, wanted = status.get("readyReplicas", 0), status.get("replicas", 0)
        assert wanted, f"Deployment/weir-demo-{environment}/{name}: no replicas"
        assert ready == wanted, f"Deployment/weir-demo-{environment}/{name}: {ready} of {wanted} ready"

    def _expect_gone(self, api_version: str, kind: str, namespace: str, name: str) -> None:
        _until(
            lambda: self.rest.get(api_version, kind, namespace, name) is None,
            f"{kind}/{namespace}/{name} is still in the cluster".replace("//", "/"),
        )


def _until(done: Callable[[], bool], complaint: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.2)
