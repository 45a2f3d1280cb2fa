"""The artifact store: content-addressed blobs and trees, safe for several processes at once."""

from weir.edges.store.limits import StoreLimits
from weir.edges.store.store import MissingBlobError, Store, StoredTree

__all__ = ["MissingBlobError", "Store", "StoreLimits", "StoredTree"]
