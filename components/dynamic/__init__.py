"""The resolve side: dynamic providers, pickled by reference. Nothing is registered at import."""
