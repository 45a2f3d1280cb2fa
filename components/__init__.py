"""The Pulumi side: one ComponentResource per file. Nothing is registered at import."""
