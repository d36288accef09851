"""Every figure of a run.

Computed in `statistics`, `drawdowns` and `buy_and_hold`, named once in `figures`, gathered into
summary.json by `summarise`, printed by `console`.
"""
