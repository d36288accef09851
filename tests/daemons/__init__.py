"""What tests need to run a real daemon: a process, its signals, its state directory."""
