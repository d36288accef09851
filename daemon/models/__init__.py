"""Where predictions come from: one protocol, one file a source."""
