"""Where inputs come from: the exchange calendar, the expected bars, and the feeds themselves."""
