"""The trigger engine: configuration, transport, processing, command line."""
