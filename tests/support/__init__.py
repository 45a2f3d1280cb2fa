"""What tests share: a real control plane and an independent look at the cluster. Nothing here imports Weir's core."""
