"""Read-only pages about one stack, rendered where the watcher runs. They work without JavaScript, and live with it."""
