"""What plays recorded inputs through the daemon's tasks, and what is read from the result."""
