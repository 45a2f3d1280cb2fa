"""GitOps for Kubernetes as a Pulumi program: the core, which never imports Pulumi."""
