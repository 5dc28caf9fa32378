"""`python -m bbert`: the same as the `bbert` command; launchers start workers through it."""

import sys

from bbert.cli import main

if __name__ == "__main__":
    # The `deepspeed` launcher puts --local_rank=N before the command; LOCAL_RANK says the same.
    raise SystemExit(main([a for a in sys.argv[1:] if not a.startswith("--local_rank=")]))
