"""Choosing: Git references, versions, tags. Pure."""
