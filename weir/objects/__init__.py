"""From desired and live objects to changes, order and health. Pure."""
