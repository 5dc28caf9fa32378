"""`python -m bbert`: the same as the `bbert` command; launchers start workers through it."""

from bbert.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
