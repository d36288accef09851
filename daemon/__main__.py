"""`python -m daemon` is `papertape`."""

from daemon.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
