"""What the journal of a daemon says: orders, fills, trades, profit, gaps, and why a turn was so."""
