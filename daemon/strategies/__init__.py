"""What decides: one protocol, one file a strategy, and the loader that finds them by name."""
