"""Messages for the services that get one per event: a module per family, and `render` for all."""
