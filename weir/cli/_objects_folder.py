"""The files that a stack's `weir:objects` names: where new objects are written, and where others are removed."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from weir.cli._stack import settings_path
from weir.flow.load import load_folder
from weir.flow.settings import read_settings_file
from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.header import read_header
from weir.spec.identity import UnitId
from weir.spec.stack import StackConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectsFolder:
    """One stack's folder of Flux objects."""

    config: StackConfig
    folder: Path

    @classmethod
    def of(cls, args: argparse.Namespace) -> ObjectsFolder:
        """The folder of the stack that the arguments name.

        Raises:
            SpecError: the stack reads its objects from Git.
        """
        config = read_settings_file(args.stack, settings_path(args))
        if config.source is not None:
            place = "/".join(filter(None, [config.source.url, config.source.path.strip("./")]))
            raise SpecError.at(
                f"stack {args.stack}",
                "weir:source",
                found=place,
                expected="weir:objects, a folder of this machine",
                hint=f"commit the change there, to {config.source.ref}",
            )
        return cls(config=config, folder=Path("stacks").resolve() / config.objects)

    def find(self, unit: UnitId) -> list[tuple[Path, Document]]:
        """Where a unit is declared. Raises SpecError when a file cannot be read."""
        loaded = load_folder(self.folder)
        if loaded.problems:
            raise SpecError(str(loaded.problems[0].message))
        return [
            (self.folder.parent / document.file, document)
            for document in loaded.documents
            if read_header(document).id == unit
        ]
