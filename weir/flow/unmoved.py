"""Whether a source certainly still stands where it was resolved last: the cheap answer to most polls."""

from __future__ import annotations

from dataclasses import dataclass, field

from weir.edges.git.peek import Peek
from weir.edges.git.url import parse_url
from weir.flow.git_source import Secrets, read_access
from weir.select import git_ref
from weir.spec.artifact import Artifact
from weir.spec.errors import WeirError
from weir.spec.git_repository import GitRepositorySpec


@dataclass(frozen=True, slots=True)
class Unmoved:
    """Asks servers for references only. Thread-safe."""

    secrets: Secrets
    _peek: Peek = field(default_factory=Peek)

    def stands(self, spec: GitRepositorySpec, artifact: Artifact) -> bool:
        """Whether the reference still leads to the artifact's commit. False whenever that is not certain.

        Signatures are judged by the keys of now, so a source with `spec.verify` is never certain; nor is one whose
        login is a token to be fetched.
        """
        if spec.verify or spec.provider != "generic" or spec.suspend or spec.ref.commit:
            return False
        try:
            url = parse_url(spec.url)
            credentials = read_access(spec, url, self.secrets)
            refs = self._peek.refs(url, credentials, git_ref.listing(spec.ref), spec.timeout)
            targets = git_ref.candidates(spec.ref, refs) if refs is not None else ()
        except WeirError:
            return False
        return len(targets) == 1 and git_ref.revision(spec.ref, targets[0]) == artifact.revision
