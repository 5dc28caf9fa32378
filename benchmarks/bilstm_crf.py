"""How long 75 epochs of the BiLSTM-CRF take on a frozen encoder, and where the time goes.

    python benchmarks/bilstm_crf.py [--depth 12] [--hidden 128] [--epochs 2] [--sentences 20000]
                                    [--lstm-size 200] [--data ../shared/data/panx] [--parts]

A random encoder with a vocabulary made from the sentences (its weights do not change how long
anything takes) is saved as a model folder. Then, as `bbert finetune --head bilstm-crf` does it: the
features of training and development data are computed, kept and mapped; some epochs of training,
the development data scored after each. The time for 75 epochs is extrapolated from the median
epoch and says so. Memory is what belongs to the process alone (RssAnon): mapped features are pages
of the file system's cache, which the system takes back when it needs them. Seconds of processor
time are what the wall clock would say on one thread (OMP_NUM_THREADS=1) of an idle machine.

`--parts` times the two pieces of a step, the BiLSTM beside a packed `nn.LSTM`, and the CRF.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from finetune import real_examples, write_encoder
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from bbert.finetune.heads.crf import LinearChainCrf

EPOCHS = 75
VOCABULARY = 8000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--depth", type=int, default=12)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--sentences", type=int, default=20_000)
    parser.add_argument("--lstm-size", type=int, default=200)
    parser.add_argument("--fusion", default="scalar-mix")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/panx"))
    parser.add_argument("--parts", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if options.parts:
        compare_parts(options.hidden, options.lstm_size)
        return
    with tempfile.TemporaryDirectory() as folder:
        whole(Path(folder), options)


def whole(folder: Path, options: argparse.Namespace) -> None:
    """Time the pass of the encoder and some epochs."""
    from bbert.cli import parse
    from bbert.finetune.evaluation import predict
    from bbert.finetune.examples import load_data
    from bbert.finetune.frozen_features import frozen_features
    from bbert.finetune.network import build_network
    from bbert.finetune.plan import make_plan
    from bbert.finetune.seed_run import network_settings, training_settings
    from bbert.finetune.training import train
    from bbert.processor_threads import set_threads

    heads = max(1, options.hidden // 64)
    examples = real_examples("ner", options.data.parent, 5000)
    model = write_encoder(
        folder / "model", examples, options.depth, heads, options.hidden, VOCABULARY
    )
    typed = ["--model", str(model), "--data", str(options.data), "--train-lang", "en",
             "--eval-langs", "en", "--head", "bilstm-crf", "--fusion", options.fusion,
             "--lstm-size", str(options.lstm_size), "--max-train-examples",
             str(options.sentences), "--epochs", str(options.epochs), "--work",
             str(folder / "work")]  # fmt: skip
    plan = make_plan(parse("finetune", typed))
    data = load_data(plan)
    assert data.dev is not None
    gold, texts = data.dev.gold, data.dev.examples
    network, _ = build_network(plan.model, network_settings(plan.config, len(data.labels)), 0)
    set_threads(max(options.hidden, options.lstm_size))
    words = sum(map(len, data.train.encoded.labels))
    print(
        f"{options.depth} layers × {options.hidden}, {options.fusion}, LSTM {options.lstm_size} a "
        f"direction; {len(data.train.encoded):,} training sentences ({words:,} words), "
        f"{len(texts):,} for development; {torch.get_num_threads()} threads, torch "
        f"{torch.__version__}"
    )
    started, busy = time.perf_counter(), time.process_time()
    with frozen_features(network, data, plan.model, plan.config, 0) as ready:
        learned_from, dev = ready(data.train), ready(data.dev)
        seconds = time.perf_counter() - started
        stored = sum(file.stat().st_size for file in folder.rglob("*.f16"))
        print(
            f"features: {seconds:.1f} s ({time.process_time() - busy:.1f} s of processor time), "
            f"{stored / 1e6:,.1f} MB on disk"
        )
        marks, memory, testing = [time.perf_counter()], [anonymous_megabytes()], []
        processor = [time.process_time()]

        def dev_score() -> float:
            begun = time.perf_counter()
            found = predict(network, dev, texts, data.labels, "O", "fp32")
            score = plan.task.score(gold, found)["entity_f1"]
            marks.append(time.perf_counter())
            processor.append(time.process_time())
            testing.append(marks[-1] - begun)
            memory.append(anonymous_megabytes())
            return score

        rows = train(network, learned_from, training_settings(plan.config), 0, dev_score)
    for number, row in enumerate(rows):
        print(
            f"epoch {row['epoch']}: {marks[number + 1] - marks[number]:.1f} s "
            f"({processor[number + 1] - processor[number]:.1f} s of processor time), of which "
            f"{testing[number]:.1f} s scoring; loss {row['loss']:.2f}, dev F1 {row['dev']:.3f}, "
            f"memory of the process {memory[number + 1]:,.0f} MB"
        )
    epochs = [after - before for before, after in pairwise(marks)]
    total = seconds + EPOCHS * median(epochs)
    print(
        f"memory before the first epoch {memory[0]:,.0f} MB, after the last {memory[-1]:,.0f} MB\n"
        f"extrapolated to {EPOCHS} epochs with their scoring and the features: "
        f"{total / 60:.1f} min"
    )


def anonymous_megabytes() -> float:
    """Memory of this process that is not a mapped file."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1e3
    raise RuntimeError("no RssAnon in /proc/self/status")


def compare_parts(hidden: int, size: int) -> None:
    """One step of the BiLSTM, of a packed one and of the CRF, for some sentence lengths."""
    from bbert.finetune.heads.bilstm import BiLstm
    from bbert.finetune.heads.bioul import constraints

    torch.manual_seed(0)
    own = BiLstm(hidden, size, 2, 0.5)
    usual = nn.LSTM(hidden, size, 2, batch_first=True, bidirectional=True, dropout=0.5)
    crf = LinearChainCrf(*constraints(7))
    print(f"milliseconds forward and backward, batch 32, {torch.get_num_threads()} threads")
    for width in (6, 8, 16, 40):
        words = torch.randn(32, width, hidden, requires_grad=True)
        lengths = [width - number % 2 for number in range(32)]
        scores = torch.randn(32, width, 13, requires_grad=True)
        tags = torch.randint(13, (32, width))
        num_words = torch.tensor(lengths)

        def packed(words: Tensor = words, lengths: list[int] = lengths) -> Tensor:
            sequence = pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
            return pad_packed_sequence(usual(sequence)[0], batch_first=True)[0].sum()

        steps: dict[str, Callable[[], Tensor]] = {
            "BiLSTM": lambda w=words, n=lengths: own(w, n).sum(),
            "packed nn.LSTM": packed,
            "CRF": lambda s=scores, t=tags, n=num_words: crf.log_likelihood(s, t, n).sum(),
        }
        print(f"{width} words: " + ", ".join(f"{k} {timed(f):.2f}" for k, f in steps.items()))


def timed(step: Callable[[], Tensor], rounds: int = 30) -> float:
    """Median milliseconds of a step with its backward pass."""
    seconds = []
    for number in range(rounds + 5):
        started = time.perf_counter()
        step().backward()
        if number >= 5:
            seconds.append(time.perf_counter() - started)
    return 1e3 * median(seconds)


if __name__ == "__main__":
    main()
