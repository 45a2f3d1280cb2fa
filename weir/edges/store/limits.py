"""What the store accepts: bounds that hold while content streams in, so that no source can fill the disk."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLimits:
    """Bounds of one tree. Sizes are bytes."""

    file_bytes: int = 128 * 1024 * 1024
    total_bytes: int = 1024 * 1024 * 1024
    files: int = 100_000
    depth: int = 64
    """Names in one path."""
    path_bytes: int = 2048
    name_bytes: int = 255
