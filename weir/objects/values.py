"""Names for what JSON holds, so that signatures say more than Any."""

from __future__ import annotations

from typing import Any

Json = Any
"""Any JSON value: None, a bool, a number, a text, a list or a map of them."""
Obj = dict[str, Any]
"""A Kubernetes object, or a map inside one."""
