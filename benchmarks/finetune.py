"""How fast fine-tuning is, beside `transformers.Trainer`, in one process on the same examples.

    python benchmarks/finetune.py [--task xnli|ner] [--model small|paper] [--device cpu|cuda]
                                  [--examples 960] [--rounds 3] [--precisions fp32 bf16]
                                  [--data ../shared/data] [--clock wall|processor]
                                  [--compiled] [--output FILE.md]

    bbert              one epoch as `bbert finetune` runs it: batches of like length, its loop
    Trainer            the same encoder, ids, batch size, AdamW, clipping and dropout; rows in
                       random order, every batch padded to its longest row (DataCollatorWithPadding,
                       DataCollatorForTokenClassification): the set-up of its example scripts
    Trainer, grouped   the same with `train_sampling_strategy="group_by_length"`
    bbert, compiled    (`--compiled`) bbert with its encoder through torch.compile, for any lengths

The texts are real (MultiNLI pairs, PAN-X sentences), drawn at random; they are cut into word-pieces
of a vocabulary made from them, so that lengths are those that users have. Cutting is not timed: it
is the same for all and done once. Every system takes its turn in every round, in alternating order,
after a short turn that warms up; a turn is one epoch, timed from its first batch to the last
updated weights. Quotients are formed within a round (pairs) and their median is reported.

`--clock processor` counts seconds that the process computed, which others on the machine disturb
less; it says what the wall clock would say on one thread (OMP_NUM_THREADS=1) of an idle machine.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from machine import processor_name, wait

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

MODELS = {  # depth, heads, hidden, vocabulary
    "tiny": (2, 2, 32, 1000),
    "small": (4, 4, 256, 8000),
    "paper": (12, 12, 768, 30_000),
}
HEADS = {"xnli": "classifier", "ner": "linear"}
BATCH_SIZE, MAX_LENGTH, RATE = 32, 128, 2e-5
WARM_UP = 2  # batches
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


@dataclass
class System:
    """Something that trains; `turn(rows)` returns the seconds of one epoch over them."""

    name: str
    precision: str
    turn: Callable[[list[int]], float]
    seconds: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=list(HEADS), default="xnli")
    parser.add_argument("--model", choices=list(MODELS), default="small")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--examples", type=int, default=960)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--no-grouped", action="store_true", help="without the third system")
    parser.add_argument("--compiled", action="store_true", help="a further system, see above")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--output", type=Path, help="Markdown file for the table")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        table = measure(options, Path(folder))
    print(table)
    if options.output:
        options.output.write_text(table + "\n", encoding="utf-8")


def measure(options: argparse.Namespace, folder: Path) -> str:
    """Let every system take its turns; the table as Markdown."""
    import torch

    depth, heads, hidden, vocab_size = MODELS[options.model]
    examples = real_examples(options.task, options.data, options.examples)
    encoder = write_encoder(folder / "model", examples, depth, heads, hidden, vocab_size)
    encoded, labels = encode(options.task, encoder, examples)
    systems: list[System] = []
    for precision in options.precisions:
        make = Maker(
            options.task, encoder, encoded, labels, precision, options.device, folder,
            CLOCKS[options.clock],
        )  # fmt: skip
        systems.append(System("bbert", precision, make.bbert()))
        if options.compiled:
            systems.append(System("bbert, compiled", precision, make.bbert(compiled=True)))
        systems.append(System("Trainer", precision, make.trainer("random")))
        if not options.no_grouped:
            systems.append(System("Trainer, grouped", precision, make.trainer("group_by_length")))
    rows = list(range(len(encoded)))
    first = {(s.name, s.precision): s.turn(rows[: WARM_UP * BATCH_SIZE]) for s in systems}
    for number in range(options.rounds):
        for system in systems if number % 2 == 0 else systems[::-1]:
            system.seconds.append(system.turn(rows))
    lengths = encoded.lengths
    device = torch.cuda.get_device_name() if options.device == "cuda" else (
        f"{torch.get_num_threads()} threads of {processor_name()}"
    )  # fmt: skip
    lines = [
        f"{options.task}, {options.model}: {depth} layers × {hidden}, {heads} heads, vocabulary "
        f"{vocab_size:,}; {len(encoded):,} examples of {lengths.mean():.1f} word-pieces "
        f"(median {median(lengths.tolist()):.0f}, longest {lengths.max()}), batch {BATCH_SIZE}; "
        f"{device}; torch {torch.__version__}; {options.rounds} rounds, {options.clock} clock",
        "",
        "| system | precision | examples/s (rounds) | times the Trainer, same precision (pairs) "
        "| times the Trainer in fp32 |",
        "|---|---|---|---|---|",
    ]
    for system in systems:
        own = next(s for s in systems if s.name == "Trainer" and s.precision == system.precision)
        in_fp32 = next((s for s in systems if s.name == "Trainer" and s.precision == "fp32"), None)
        rates = sorted(len(rows) / seconds for seconds in system.seconds)
        pairs = sorted(a / b for a, b in zip(own.seconds, system.seconds, strict=True))
        to_fp32 = ""
        if in_fp32 is not None:
            pairs_fp32 = zip(in_fp32.seconds, system.seconds, strict=True)
            to_fp32 = f"{median(a / b for a, b in pairs_fp32):.2f}"
        lines.append(
            f"| {system.name} | {system.precision} | {median(rates):,.1f} "
            f"({rates[0]:,.1f}-{rates[-1]:,.1f}) | {median(pairs):.2f} "
            f"({pairs[0]:.2f}-{pairs[-1]:.2f}) | {to_fp32} |"
        )
    lines += ["", *padding_lines(lengths)]
    if options.compiled:
        turns = ", ".join(f"{s:.1f} s ({n}, {p})" for (n, p), s in first.items() if "bbert" in n)
        lines += ["", f"First turn, of {WARM_UP * BATCH_SIZE} examples: {turns}."]
    return "\n".join(lines)


def padding_lines(lengths: Any) -> list[str]:
    """What share of the positions of an epoch is padding, by arithmetic."""
    import numpy as np

    from bbert.finetune.batches import training_batches

    def share(batches: list[Any]) -> float:
        positions = sum(len(rows) * lengths[rows].max() for rows in batches)
        return 1 - lengths.sum() / positions

    order = np.random.default_rng(0).permutation(len(lengths))
    plain = [order[i : i + BATCH_SIZE] for i in range(0, len(order), BATCH_SIZE)]
    bucketed = training_batches(lengths, BATCH_SIZE, (0, 0))
    return [f"Padding: {share(bucketed):.1%} of bbert's positions, {share(plain):.1%} of those of "
            "batches in random order."]  # fmt: skip


@dataclass(frozen=True)
class Maker:
    """Makes the systems for one precision."""

    task: str
    encoder: Path
    encoded: Any
    labels: tuple[str, ...]
    precision: str
    device: str
    folder: Path
    clock: Callable[[], float] = time.perf_counter

    def bbert(self, compiled: bool = False) -> Callable[[list[int]], float]:
        """The loop of `bbert finetune`."""
        from bbert.finetune.model_folder import find_model
        from bbert.finetune.network import NetworkSettings, build_network
        from bbert.finetune.training import TrainingSettings, train

        settings = NetworkSettings(HEADS[self.task], len(self.labels), "last")
        network, _ = build_network(find_model(self.folder, str(self.encoder)), settings, 0)
        network.to(self.device)
        if compiled:
            network.encoder.compile(dynamic=True)
        training = TrainingSettings(
            epochs=1, batch_size=BATCH_SIZE, learning_rate=RATE, warmup=0.1, weight_decay=0.01,
            adam_epsilon=1e-8, precision=self.precision,
        )  # fmt: skip

        def turn(rows: list[int]) -> float:
            examples = part(self.encoded, rows)
            wait(self.device)
            started = self.clock()
            train(network, examples, training, seed=0)
            wait(self.device)
            return self.clock() - started

        return turn

    def trainer(self, strategy: str) -> Callable[[list[int]], float]:
        """transformers' Trainer as its example scripts for these tasks set it up."""
        from transformers import (
            AutoModelForSequenceClassification,
            AutoModelForTokenClassification,
            AutoTokenizer,
            DataCollatorForTokenClassification,
            DataCollatorWithPadding,
            Trainer,
            TrainerCallback,
            TrainingArguments,
        )

        classes = {
            "xnli": (AutoModelForSequenceClassification, DataCollatorWithPadding),
            "ner": (AutoModelForTokenClassification, DataCollatorForTokenClassification),
        }
        model_class, collator_class = classes[self.task]
        model = model_class.from_pretrained(self.encoder, num_labels=len(self.labels))
        collator = collator_class(AutoTokenizer.from_pretrained(self.encoder))
        data, now = as_dictionaries(self.encoded), self.clock

        class Clock(TrainerCallback):
            started = 0.0

            def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                wait(args.device.type)
                self.started = now()

        def turn(rows: list[int]) -> float:
            clock = Clock()
            arguments = TrainingArguments(
                output_dir=str(self.folder / "trainer"), num_train_epochs=1,
                per_device_train_batch_size=BATCH_SIZE, learning_rate=RATE, weight_decay=0.01,
                warmup_steps=0.1, report_to=[], save_strategy="no", logging_strategy="no",
                disable_tqdm=True, use_cpu=self.device == "cpu", bf16=self.precision == "bf16",
                dataloader_pin_memory=self.device == "cuda", train_sampling_strategy=strategy,
            )  # fmt: skip
            trainer = Trainer(
                model=model, args=arguments, train_dataset=[data[row] for row in rows],
                data_collator=collator, callbacks=[clock],
            )  # fmt: skip
            with contextlib.redirect_stdout(io.StringIO()):  # it prints a summary
                trainer.train()
            wait(self.device)
            return now() - clock.started

        return turn


def real_examples(task: str, data: Path, number: int) -> list[Any]:
    """`number` training examples of a real data set, drawn at random."""
    from bbert.finetune.examples import some_of
    from bbert.finetune.tasks import load_task
    from bbert.finetune.tasks.find_files import find_data_folder, find_split

    reader = load_task(task)
    folder = find_data_folder(reader, data, "en")
    files = find_split(reader, folder, "en", ["train"]).files
    return some_of(reader.read(files, "en"), number, (0,))


def write_encoder(
    folder: Path, examples: list[Any], depth: int, heads: int, hidden: int, vocab_size: int
) -> Path:
    """A random BERT with a WordPiece vocabulary made from the examples."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    texts = [
        " ".join(e.words) if hasattr(e, "words") else f"{e.first} {e.second}" for e in examples
    ]
    tokenizer.train_from_iterator(
        texts,
        trainers.WordPieceTrainer(
            vocab_size=vocab_size, special_tokens=list(names.values()), show_progress=False
        ),
    )
    tokenizer.add_tokens([f"[unused{n}]" for n in range(vocab_size - tokenizer.get_vocab_size())])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{f"{name}_token": token for name, token in names.items()}
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=vocab_size, hidden_size=hidden, num_hidden_layers=depth,
        num_attention_heads=heads, intermediate_size=4 * hidden,
        max_position_embeddings=MAX_LENGTH,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


def encode(task: str, encoder: Path, examples: list[Any]) -> tuple[Any, tuple[str, ...]]:
    """The examples as ids, and the labels."""
    from bbert.finetune.encoder import PieceIds
    from bbert.finetune.encoding import encode_examples
    from bbert.finetune.model_folder import find_model
    from bbert.finetune.tasks import load_task
    from bbert.languages import Language

    labels = load_task(task).label_set(examples)
    pieces = PieceIds(find_model(encoder.parent, str(encoder)))
    encoded = encode_examples(
        examples, Language.parse("en"), pieces, labels, MAX_LENGTH, too_long="wrong"
    )
    return encoded, labels


def part(encoded: Any, rows: list[int]) -> Any:
    """Some of the encoded examples."""
    from dataclasses import replace

    def of(values: Any) -> Any:
        return None if values is None else [values[row] for row in rows]

    starts = None if encoded.second_starts is None else encoded.second_starts[rows]
    return replace(
        encoded, ids=of(encoded.ids), word_positions=of(encoded.word_positions),
        second_starts=starts, labels=of(encoded.labels),
    )  # fmt: skip


def as_dictionaries(encoded: Any) -> list[dict[str, Any]]:
    """The encoded examples as the collators of transformers want them."""
    data = []
    for row, ids in enumerate(encoded.ids):
        example: dict[str, Any] = {"input_ids": ids.tolist(), "attention_mask": [1] * len(ids)}
        if encoded.word_positions is None:
            start = len(ids) if encoded.second_starts is None else int(encoded.second_starts[row])
            example["token_type_ids"] = [0] * start + [1] * (len(ids) - start)
            example["labels"] = int(encoded.labels[row][0])
        else:
            labels = [-100] * len(ids)
            for position, label in zip(
                encoded.word_positions[row], encoded.labels[row], strict=True
            ):
                labels[position] = int(label)
            example["labels"] = labels
        data.append(example)
    return data


if __name__ == "__main__":
    main()
