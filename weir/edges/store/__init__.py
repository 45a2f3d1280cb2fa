"""The artifact store: content-addressed blobs and trees, safe for several processes at once."""

from weir.edges.store.limits import StoreLimits
from weir.edges.store.store import Store, StoredTree

__all__ = ["Store", "StoreLimits", "StoredTree"]
