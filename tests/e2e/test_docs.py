"""Every command that a page shows is run: one of each reading verb each time, all of them with the slow tests."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from demo.stack import PROJECT, Outcome
from tests.docs.shown import PAGES, Command, all_commands, commands, stray
from tests.support.checkout import FLUX, STACK, Checkout
from tests.support.git_server import GitServer
from tests.support.registry import running_registry
from tests.support.sink import Sink, running_sink
from weir.edges.local_cluster import LocalCluster, running_cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SHOWN: Final = all_commands()
SECRET: Final = "kubectl create secret generic fleet-credentials -n flux-system"

NOT_RUN: Final = {
    "make demo": "is run by tests/e2e/test_demo.py",
    "make test": "is what runs this",
    "make tools": "ran before any test",
    "make lint": "runs before the tests",
    "pip install '.[otel]'": "would change the environment that the tests are in",
    'pulumi stack init production --secrets-provider="awskms://alias/weir?region=eu-central-1"': "a cloud's keys",
    "ssh -L 9293:127.0.0.1:9293 watcher-host": "needs another machine",
    "kubectl port-forward -n weir-system deploy/weir-watcher-production 9293": "Pods run nothing here",
    "sudo useradd --system --home-dir /var/cache/weir weir": "changes the machine",
    "sudo systemctl enable --now weir-watch": "changes the machine",
    "journalctl -u weir-watch -f": "shows what the line before started",
    "docker build -f docs/examples/watcher/Dockerfile -t registry.example.com/weir:1 .": "needs Docker, and an hour",
    "docker push registry.example.com/weir:1": "pushes what the line before built",
    "flux suspend kustomization flux-system": "Flux's program; what it does is in test_moving_from_flux.py",
    "flux suspend kustomization --all -n flux-system": "Flux's program",
    "flux suspend image update --all -n flux-system": "Flux's program",
    "flux resume kustomization --all -n flux-system": "Flux's program",
}
"""Commands that cannot run in a test, and why."""

TYPED: Final = {
    "pulumi up": "pulumi up --yes --skip-preview",  # asks by a menu
    "weir completion fish | source": "weir completion fish",  # a line for another shell
}
ANSWERS: Final = {"weir destroy": STACK, "weir uninstall": STACK, "weir delete": "y"}
"""What a person types when a command asks."""
LASTING: Final = {
    r"weir watch |python watcher.py ": ("following Deployment in prod", 0),
    r"weir get .* --watch": ("fleet", 130),
    r"weir logs .* --follow": ("quota exceeded", 130),
}
"""Commands that go on: what they show, and how they end after Ctrl-C."""
TELLING: Final = re.compile(r"weir (?:diff|explain) ")
"""They end with 1 when they found something."""
REFUSED: Final = {"kubectl --kubeconfig=preview.kubeconfig create configmap": "denied request"}
"""What a page says is refused, and the word that shows it."""
READING: Final = re.compile(
    r"weir (?:get|tree|events|stats|explain|trace|diff|build|export|check|version|completion) "
    r"|weir image (?:list|policies) |weir create (?=.* --export)|source <"
)
AFTER: Final[dict[str, Callable[[Checkout], object]]] = {
    "weir destroy": Checkout.install_twice,
    "weir uninstall": Checkout.install_twice,
    "weir cluster up": lambda checkout: checkout.run("weir cluster down").must(),
    f"{SECRET} --from-file": lambda checkout: checkout.rest.delete("v1", "Secret", FLUX, "fleet-credentials"),
}
"""What makes the place again what the next command expects, as pages are no single story."""
FROM_NOTHING: Final = {
    "README.md",
    "docs/moving-from-flux.md",
    "docs/promotion.md",
    "docs/secrets.md",
    "docs/up.md",
    "docs/your-cluster.md",
}
"""Pages that begin with a cluster that Weir has not seen."""


def said(checkout: Checkout, sink: Sink, hooks: str) -> dict[str, str]:
    """Texts of the pages that stand for something, and what they stand for here."""
    digest = "$(printf %s \"$TOKEN\"pushflux-system | sha256sum | cut -d' ' -f1)"
    return {
        "/srv/weir/state": str(checkout.state),
        " /etc/": f" {checkout.etc}/",
        "sudo ": "",
        "ghcr.io/org/web": f"{checkout.registry.host}/org/web",
        "5c2d89b1": checkout.repo.head()[:8],
        "127.0.0.1:9292": "127.0.0.1:0",
        "127.0.0.1:9293": "127.0.0.1:0",
        "127.0.0.1:8081": "127.0.0.1:0",
        "http://collector.example.com:4318": sink.url,
        "https://weir.example.com/hook/...": f"--fail http://{hooks}/hook/{digest}",
    }


class Reader:
    """Somebody who types what a page shows."""

    def __init__(self, checkout: Checkout, sink: Sink, also: contextlib.ExitStack) -> None:
        self.checkout, self.sink, self.also, self.hooks = checkout, sink, also, ""

    def type(self, command: Command) -> None:
        """Type it, and see that it does what it is there for."""
        if command.text.startswith("curl "):
            self.listen()
        text = TYPED.get(command.text, command.text)
        for shown, meant in said(self.checkout, self.sink, self.hooks).items():
            text = text.replace(shown, meant)
        lasting = next((ends for pattern, ends in LASTING.items() if re.match(pattern, text)), None)
        if lasting:
            self.follow(text, *lasting)
            return
        answer = next((word for start, word in ANSWERS.items() if text.startswith(start)), "")
        done = self.checkout.run(text, answer)
        refused = next((word for start, word in REFUSED.items() if text.startswith(start)), "")
        codes = (1,) if refused else (0, 1) if TELLING.match(text) else (0,)
        assert done.code in codes, explain(command, done)
        assert refused in done.out, explain(command, done)

    def follow(self, text: str, shows: str, code: int) -> None:
        with self.checkout.running(text) as one:
            one.wait_for(shows)
            assert one.interrupt() == code, one.said

    def listen(self) -> None:
        """Let a watcher answer the webhooks of the page's receiver, for a sender that signs as the page shows."""
        page = (PROJECT / "docs" / "webhooks.md").read_text()
        receiver = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
        receiver["spec"]["type"] = "generic-hmac"
        del receiver["spec"]["events"]
        self.checkout.declare("push.yaml", receiver)
        shown = re.search(r"^weir watch .* --listen .*$", page, re.MULTILINE)
        assert shown
        command = shown[0].replace(":9292", ":0")
        watcher = self.also.enter_context(self.checkout.running(command))
        watcher.wait_for("following Deployment in prod")
        found = re.search(r"webhooks on (\S+)", watcher.said)
        assert found, watcher.said
        self.hooks = found[1]


def explain(command: Command, done: Outcome) -> str:
    return f"{command}\nwas typed as {done.command[0]}\nand ended with {done.code}:\n{done.out}"


def test_commands_stand_in_blocks_that_say_so() -> None:
    assert {page.name: stray(page.read_text()) for page in PAGES if stray(page.read_text())} == {}


def test_what_is_not_run_is_still_shown() -> None:
    texts = {command.text for command in SHOWN}
    assert set(NOT_RUN) - texts == set()
    assert set(TYPED) - texts == set()
    assert {page for page in FROM_NOTHING if not any(page == command.page for command in SHOWN)} == set()
    for start in [*ANSWERS, *AFTER]:
        assert any(text.startswith(start) for text in texts), start


def test_commands_are_found_in_blocks_and_spans() -> None:
    text = (
        "Run `weir get all -s a`, as `weir get` does, `kubectl` too.\n"
        "```sh\n# first\nA=1   # why\n  kubectl apply \\\n    -f a.yaml   # it\n```\n"
        "```console\n$ weir diff\nDeployment/prod/web\n```\n```\nweir fly\n```\n```yaml\na: `make tea -n b`\n```\n"
    )
    assert [(found.line, found.text) for found in commands("a.md", text)] == [
        (1, "weir get all -s a"),
        (4, "A=1"),
        (5, "kubectl apply -f a.yaml"),
        (9, "weir diff"),
    ]
    assert stray(text) == ["weir fly"]


def reading() -> list[Command]:
    """The first command of each verb that only reads, in the order of the pages."""
    found: dict[str, Command] = {}
    for command in SHOWN:
        verb = READING.match(command.text)
        if verb and not any(re.match(lasting, command.text) for lasting in LASTING):
            found.setdefault(verb[0], command)
    return list(found.values())


@contextlib.contextmanager
def reader(folder: Path, cluster: LocalCluster) -> Iterator[Reader]:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(GitServer(folder / "git"))
        registry = stack.enter_context(running_registry(folder / "registry"))
        sink = stack.enter_context(running_sink())
        checkout = Checkout(folder, cluster.kubeconfig, server, registry)
        stack.callback(checkout.close)
        yield Reader(checkout, sink, stack.enter_context(contextlib.ExitStack()))


@pytest.fixture(scope="module")
def installed(control_plane: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reader(tmp_path_factory.mktemp("docs"), control_plane) as somebody:
        somebody.checkout.credentials()
        somebody.checkout.state.mkdir()
        somebody.checkout.install()
        yield somebody


@pytest.mark.parametrize("command", reading(), ids=lambda command: str(command.text))
def test_a_reading_command_can_be_typed_as_shown(installed: Reader, command: Command) -> None:
    installed.type(command)


def typed(page: str) -> list[Command]:
    """The commands of a page that are run."""
    return [command for command in SHOWN if command.page == page and command.text not in NOT_RUN]


def prepare(checkout: Checkout, page: str) -> None:
    """Make what a page takes for granted and does not say itself."""
    texts = "\n".join(command.text for command in typed(page))
    if "mkdir " not in texts:
        checkout.state.mkdir()
    if SECRET not in texts:
        checkout.credentials()
    if page not in FROM_NOTHING:
        checkout.install_twice()
    checkout.remember("quota exceeded")


def restore(checkout: Checkout, command: Command) -> None:
    """Do what AFTER says."""
    for start, step in AFTER.items():
        if command.text.startswith(start) and "--dry-run" not in command.text:
            step(checkout)


@pytest.mark.slow
@pytest.mark.parametrize("page", list(dict.fromkeys(command.page for command in SHOWN)))
def test_the_commands_of_a_page_can_be_typed_in_their_order(page: str, tmp_path: Path) -> None:
    shown = " ".join(command.text for command in typed(page))
    missing = [name for name in ("kubectl", "curl", "openssl") if name in shown and not shutil.which(name)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    with running_cluster(tmp_path / "cluster") as cluster, reader(tmp_path, cluster) as somebody:
        prepare(somebody.checkout, page)
        for number, command in enumerate(typed(page)):
            if number:
                restore(somebody.checkout, typed(page)[number - 1])
            somebody.type(command)
        assert ("OTEL_" in shown) == ("/v1/traces" in {got.path for got in somebody.sink.got})
