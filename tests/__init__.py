"""Tests; see CONTRIBUTING.md for what goes where."""
