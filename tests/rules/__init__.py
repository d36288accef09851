"""The rules of turns, fills, costs and ledger, each by example worked out by hand."""
