"""The long-running process: everything that decides, and nothing that only plays back."""

__version__ = "0.1.0"

ENGINE_VERSION = 3
"""Raised whenever the same inputs may give other results; part of every manifest."""
