"""Kinds of image objects, for whoever tells units apart without reading them: their specs take longer to load."""

from __future__ import annotations

from typing import Final

IMAGE_REPOSITORY: Final = "ImageRepository"
IMAGE_POLICY: Final = "ImagePolicy"
IMAGE_AUTOMATION: Final = "ImageUpdateAutomation"
