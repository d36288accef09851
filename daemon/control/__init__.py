"""What reaches the daemon from outside: signals, the latch, the control socket."""
