"""One process of a run that bbert started itself: `python -m bbert.pretrain.worker RUN OUTCOME`.

RUN is a file with the configuration, OUTCOME the file in which the worker says how it ended: it
prints no error, because the supervisor prints one for all (see `launch.py`).
"""

from __future__ import annotations

import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from bbert.json_files import read_json, write_json_atomically
from bbert.pretrain.config import PretrainConfig
from bbert.pretrain.process_group import launched_group
from bbert.progress import set_up_logging


def main(specification: Path, outcome: Path) -> int:
    """Run the worker; returns its exit code."""
    group = launched_group()  # first of all: it takes note of the supervisor
    assert group is not None
    from pydantic import TypeAdapter

    from bbert.pretrain.run import run_in_group

    content = read_json(specification)
    config = TypeAdapter(PretrainConfig).validate_python(content["config"])
    set_up_logging(config.quiet, config.debug)
    try:
        run_in_group(config, group, content["rendezvous"])
        return 0
    except KeyboardInterrupt:
        report: dict[str, Any] = {"signal": int(signal.SIGINT)}
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
        report = {"signal": code - 128} if code > 128 else {"follows": True}
    except Exception as error:
        if config.debug:
            traceback.print_exc()
        text = str(error).strip()
        report = {"type": type(error).__name__, "message": text}
        if isinstance(error, OSError) and error.errno is not None:
            filename = None if error.filename is None else str(error.filename)
            report |= {"errno": error.errno, "message": error.strerror, "filename": filename}
    write_json_atomically(outcome, {**report, "time": time.time()})
    return 1


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))
