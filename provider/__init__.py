"""The apply-side provider plugin `weir`: Kustomizations as Pulumi resources."""
