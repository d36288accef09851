"""What the daemon shows of itself: log lines and metrics; none of it can influence a turn."""
