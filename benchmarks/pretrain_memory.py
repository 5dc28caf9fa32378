"""How much memory a pretraining process takes, beside what `--dry-run` says, on CPUs over gloo.

    python benchmarks/pretrain_memory.py [--processes 1 2] [--stages 0 1 2] [--precision fp32|bf16]
                                         [--vocab-size 1000] [--depth 4] [--hidden 768]

Every combination starts its processes afresh, takes four steps of one row a process (so that what
does not depend on rows decides) and makes a checkpoint's content. Memory is anonymous memory of the
leading process (RssAnon), above what it had before the model was made, in times the weights in
fp32: the peak of steps 2 to 4, that of the checkpoint, and what the formula says
(`bbert.pretrain.memory`). Linux only.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

STEPS, SEQ_LEN, SECONDS_BETWEEN_LOOKS = 4, 24, 0.002


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--stages", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--vocab-size", type=int, default=1000)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=768)
    options = parser.parse_args()
    from pretrain import write_random_corpus

    print(
        "| processes | ZeRO | weights, MB | steps | checkpoint | said |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        corpus = write_random_corpus(Path(folder) / "corpus", options.vocab_size, 40_000)
        for size in options.processes:
            for stage in options.stages:
                print(_row(vars(options), corpus, size, stage, Path(folder)), flush=True)


def _row(options: dict[str, Any], corpus: Path, size: int, stage: int, folder: Path) -> str:
    """One combination, in processes of their own."""
    meeting = folder / f"meeting-{size}-{stage}"
    orders = options | {"corpus": str(corpus), "size": size, "stage": stage, "meet": str(meeting)}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    environment |= {"GLOO_SOCKET_IFNAME": "lo", "DS_SKIP_CUDA_CHECK": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker", json.dumps(orders | {"rank": rank})],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        for rank in range(size)
    ]  # fmt: skip
    outputs = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit(f"{size} processes, ZeRO {stage}: a process failed")
    found = json.loads(outputs[0].splitlines()[-1])
    values = " | ".join(f"{found[name]:.2f}" for name in ("steps", "checkpoint", "said"))
    return f"| {size} | {stage} | {found['weights'] / 1e6:.0f} | {values} |"


def work(orders: dict[str, Any]) -> None:
    """A process of a combination; the leading one prints what it took."""
    from bbert.pretrain.architecture import Architecture
    from bbert.pretrain.batches import BatchSettings, BatchSource
    from bbert.pretrain.engine import Engine, EngineSettings
    from bbert.pretrain.feed import parts_of_steps
    from bbert.pretrain.memory import memory_need
    from bbert.pretrain.model import BertForPretraining
    from bbert.pretrain.process_group import ProcessGroup, connect

    size, rank, stage = orders["size"], orders["rank"], orders["stage"]
    bf16 = orders["precision"] == "bf16"
    group = ProcessGroup(rank, size, rank)
    connect(group, "cpu", f"file://{orders['meet']}" if size > 1 else None)
    settings = BatchSettings(batch_size=size, seq_len=SEQ_LEN, nsp=False)
    source = BatchSource(Path(orders["corpus"]), ["en", "es"], settings, seed=3)
    architecture = Architecture(
        orders["depth"], 8, orders["hidden"], 4 * orders["hidden"],
        vocab_size=orders["vocab_size"], dropout=0.0, nsp=False,
    )  # fmt: skip
    gc.collect()
    before = _anonymous()
    watch = _Watch()
    model = BertForPretraining(architecture, 2, 1)
    engine = Engine(
        model, EngineSettings(1, 1, 0.01, stage, orders["precision"], "cpu", "off", 10, 1), group
    )
    parts = parts_of_steps(source, range(STEPS), [(rank, rank + 1)], "cpu")
    for number in range(1, STEPS + 1):
        if number == 2:
            watch.peak = 0
        engine.train_step(next(parts), 1e-3, number)
    steps, watch.peak = watch.peak, 0
    engine.state()
    time.sleep(20 * SECONDS_BETWEEN_LOOKS)
    weights = 4 * architecture.parameter_count()
    need = memory_need(architecture, SEQ_LEN, 4, processes=size, zero_stage=stage, bf16=bf16)
    if rank == 0:
        taken = {"steps": steps - before, "checkpoint": watch.peak - before, "said": need.of(1)}
        print(json.dumps({"weights": weights} | {k: v / weights for k, v in taken.items()}))
    sys.stdout.flush()
    if size > 1:
        import torch.distributed as dist

        dist.barrier()
    os._exit(0)  # without waiting for the loader's thread


class _Watch:
    """The largest anonymous memory since `peak` was last set to 0."""

    def __init__(self) -> None:
        self.peak = 0
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            self.peak = max(self.peak, _anonymous())
            time.sleep(SECONDS_BETWEEN_LOOKS)


def _anonymous() -> int:
    """Bytes of this process's anonymous memory."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(json.loads(sys.argv[2]))
    else:
        main()
