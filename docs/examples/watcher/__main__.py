"""The watcher of stack production, in the cluster of your current context."""

import pulumi

from components.watcher import Watcher

config = pulumi.Config()
Watcher(
    "production",
    {
        "stack": "production",
        "image": config.require("image"),
        "backend_url": "s3://example-weir-state?region=eu-central-1",
        "passphrase": {"secret": "weir-production", "key": "passphrase"},
        "environment_secret": "weir-production-backend",
        "hooks": True,
    },
)
