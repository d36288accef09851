"""Measures the budget: `make bench`. It prints; it asserts nothing about time."""
