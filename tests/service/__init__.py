"""The service: its unit, its installer, and both under a real systemd."""
