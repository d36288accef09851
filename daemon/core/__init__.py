"""The pure core: no clock, no I/O, no randomness; the standard library and msgspec alone."""
