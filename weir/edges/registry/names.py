"""The names that this room had for `weir.spec.image_name`, until nobody uses them."""

from weir.spec.image_name import ImageName
from weir.spec.image_name import parse_image_name as parse_image

__all__ = ["ImageName", "parse_image"]
