"""Runs that lie on disk.

`reader` reads one, `selectors` finds it, `verbs` lists and accepts, `comparison` and `compare` hold
two against each other, `collect` removes, `reference` plays the reference replays.
"""
