"""CKA of 10,000 sentences at 13 layers of 768 dimensions: time and memory, n × n Grams beside it.

    python benchmarks/probe.py                 both, each measurement in a process of its own
    python benchmarks/probe.py --sentences N   another number of sentences
    python benchmarks/probe.py --command       `bbert probe cka` from text to results, see below

`streamed` reads one layer at a time from disk, as `bbert probe cka` does, and gives the debiased
CKA of every layer; `with floor and interval` adds 20 shuffles and 200 bootstrap samples. `n x n` is
the textbook way on one layer: both Gram matrices, their diagonals taken out, the unbiased HSIC. Its
value must be the same. CPU seconds are those of the whole process over its threads. Memory is the
process's peak resident set, libraries included; torch is not loaded by either.

`--command` writes sentences of two made-up words and a random BERT of 12 layers of 768 with their
30,000 words as its vocabulary, and runs the command on them and their Fake-English in a process of
its own: the model, the vectors on disk and the measurement, all that a user waits for.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

LAYERS, SIZE = 13, 768


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentences", type=int, default=10_000)
    parser.add_argument("--command", action="store_true")
    parser.add_argument("--only", choices=list(KINDS))
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(KINDS[options.only](options.folder, options.sentences)))
        return
    if options.command:
        whole_command(options.sentences)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_vectors(Path(folder), options.sentences)
        print(f"| {options.sentences:,} sentences, {SIZE} dimensions | layers | seconds "
              "| CPU seconds | peak RSS | CKA of layer 0 |")  # fmt: skip
        print("|---|---|---|---|---|---|")
        for kind in KINDS:
            command = [sys.executable, __file__, "--only", kind, "--folder", folder,
                       "--sentences", str(options.sentences)]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"| {kind} | failed: {done.stderr.strip().splitlines()[-1]} | | | | |")
                continue
            found = json.loads(done.stdout)
            print(f"| {kind} | {found['layers']} | {found['seconds']:.1f} | "
                  f"{found['processor']:.1f} | "
                  f"{found['rss'] / 1e9:.2f} GB | {found['value']:.6f} |")  # fmt: skip


def whole_command(sentences: int) -> None:
    """Time and peak memory of `bbert probe cka`."""
    with tempfile.TemporaryDirectory() as folder:
        text = write_model_and_text(Path(folder), sentences)
        command = [sys.executable, "-m", "bbert", "probe", "cka", "--model", f"{folder}/model",
                   "--parallel", f"en={text}", f"enfake={text}", "--work", f"{folder}/work",
                   "--name", "cka", "--quiet"]  # fmt: skip
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = json.loads((Path(folder) / "work/probes/cka/results.json").read_text())
    processor, peak = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
    print("| pairs | layers | seconds | CPU seconds | peak RSS |\n|---|---|---|---|---|")
    print(f"| {found['n']:,} | {len(found['layers'])} | {seconds:.0f} | {processor:.0f} "
          f"| {peak / 1e9:.2f} GB |")  # fmt: skip


def write_model_and_text(folder: Path, sentences: int) -> Path:
    """A `save_pretrained` folder `model` and a file of different sentences; returns the file."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from bbert.fake import fake

    consonants, vowels = "bdfgklmnprst", "aeiou"
    pool = ["".join(letters) for letters in
            itertools.product(consonants, vowels, consonants, vowels, consonants)]  # fmt: skip
    words = sorted(random.Random(0).sample(pool, 15_000))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {piece: n for n, piece in enumerate([*special, *words, *map(fake, words)])}
    pieces = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    pieces.normalizer = normalizers.Sequence([])
    pieces.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names = ("pad", "unk", "cls", "sep", "mask")
    tokens = {f"{name}_token": piece for name, piece in zip(names, special, strict=True)}
    model = folder / "model"
    PreTrainedTokenizerFast(tokenizer_object=pieces, **tokens).save_pretrained(model)
    BertModel(BertConfig(vocab_size=len(vocabulary))).save_pretrained(model)
    rng = random.Random(1)
    lines = {" ".join(rng.sample(words, 2)): None for _ in range(2 * sentences)}
    text = folder / "text.en"
    text.write_text("\n".join(list(lines)[:sentences]) + "\n", encoding="utf-8")
    return text


def write_vectors(folder: Path, sentences: int) -> None:
    """Two files of vectors that share half of their variance."""
    rng = np.random.default_rng(0)
    with (folder / "x").open("wb") as x, (folder / "y").open("wb") as y:
        for _ in range(LAYERS):
            common = rng.standard_normal((sentences, SIZE), np.float32)
            for stream in (x, y):
                noise = rng.standard_normal((sentences, SIZE), np.float32)
                stream.write((common + noise).tobytes())


def layer(folder: Path, name: str, number: int, sentences: int) -> np.ndarray:
    count = sentences * SIZE
    found = np.fromfile(folder / name, np.float32, count, offset=4 * number * count)
    return found.reshape(sentences, SIZE)


def streamed(folder: Path, sentences: int) -> dict:
    from bbert.probe.cka import cka

    return over_layers(folder, sentences, cka)


def with_floor_and_interval(folder: Path, sentences: int) -> dict:
    from bbert.probe.cka_spread import measured_cka

    return over_layers(folder, sentences, lambda x, y: measured_cka(x, y, "debiased").value)


def over_layers(folder: Path, sentences: int, measure) -> dict:
    began = time.perf_counter()
    values = [measure(layer(folder, "x", n, sentences), layer(folder, "y", n, sentences))
              for n in range(LAYERS)]  # fmt: skip
    return measured(began, values[0], LAYERS)


def naive(folder: Path, sentences: int) -> dict:
    began = time.perf_counter()
    x, y = (layer(folder, name, 0, sentences).astype(np.float64) for name in "xy")
    k, l = (v @ v.T for v in (x, y))  # noqa: E741
    for gram in (k, l):
        np.fill_diagonal(gram, 0)

    def hsic(a: np.ndarray, b: np.ndarray) -> float:
        n = len(a)
        total = (a * b).sum() + a.sum() * b.sum() / ((n - 1) * (n - 2))
        return (total - 2 * (a.sum(axis=0) @ b.sum(axis=0)) / (n - 2)) / (n * (n - 3))

    value = hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))
    return measured(began, value, 1)


def measured(began: float, value: float, layers: int) -> dict:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "processor": time.process_time(),
        "rss": peak,
        "value": float(value),
        "layers": layers,
    }


KINDS = {
    "streamed": streamed,
    "streamed, with floor and interval": with_floor_and_interval,
    "n x n, one layer": naive,
}

if __name__ == "__main__":
    main()
