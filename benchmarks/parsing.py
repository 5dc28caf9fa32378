"""How fast the best dependency trees are found, beside other decoders of the same scores.

    python benchmarks/parsing.py UD_FOLDER [--treebank UD_English-EWT] [--rounds 3]

Protocol. The lengths and gold heads are those of the treebank's test set; scores are drawn: normal
noise, and a bonus on the gold arc. With a bonus of 6 every sentence is a tree as soon as every word
takes its best head, with 3 about seven in ten are, with 0 (pure noise) one in ten. Every decoder
gets the same float64 scores and is asked for the best tree with one root, and must give the same
sum of scores in every sentence. For decoders that know no such option all arcs from the root get
the same malus, as in ours. Sentences a second, one thread, the median of the rounds with the
smallest and the largest; networkx and plain Python get every n-th sentence.

Peers: a plain Chu-Liu/Edmonds in Python (below), and networkx (BSD), which comes along with torch.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bbert.finetune.spanning_trees import best_tree, best_trees
from bbert.finetune.tasks.parsing import TASK as PARSING
from bbert.finetune.tasks.trees import arc_of, tree_fault

Floats = npt.NDArray[np.float64]
Decoder = Callable[[Sequence[Floats]], list[list[int]]]

BONUSES = (6.0, 3.0, 0.0)
BATCH = 64
MALUS = 1e4


def drawn_scores(trees: Sequence[Sequence[int]], bonus: float) -> list[Floats]:
    """Scores (words, heads) of every sentence, longest first as in evaluation."""
    rng = np.random.default_rng(0)
    scores = []
    for heads in sorted(trees, key=len, reverse=True):
        number = len(heads)
        noise = rng.normal(size=(number, number + 1))
        noise[np.arange(number), list(heads)] += bonus
        scores.append(noise)
    return scores


def in_batches(sentences: Sequence[Floats]) -> list[list[int]]:
    """bbert: padded batches, one call each."""
    found = []
    for start in range(0, len(sentences), BATCH):
        some = sentences[start : start + BATCH]
        width = max(map(len, some))
        padded = np.zeros((len(some), width, width + 1))
        for row, scores in enumerate(some):
            padded[row, : len(scores), : len(scores) + 1] = scores
        found += best_trees(padded, [len(scores) for scores in some])
    return found


def one_by_one(sentences: Sequence[Floats]) -> list[list[int]]:
    """bbert without the short cut: every sentence by contraction."""
    return [best_tree(scores) for scores in sentences]


def plain_python(sentences: Sequence[Floats]) -> list[list[int]]:
    """Chu-Liu/Edmonds on dictionaries, recursive."""
    found = []
    for scores in sentences:
        rows = _with_malus(scores).tolist()
        graph = {
            word: {head: row[head] for head in range(len(row)) if head != word}
            for word, row in enumerate(rows, start=1)
        }
        heads = _contracted(graph)
        found.append([heads[word] for word in range(1, len(rows) + 1)])
    return found


def _contracted(graph: dict[int, dict[int, float]]) -> dict[int, int]:
    best = {word: max(arcs, key=arcs.__getitem__) for word, arcs in graph.items()}
    cycle = _a_cycle(best)
    if not cycle:
        return best
    new = max(max(graph), max(h for arcs in graph.values() for h in arcs)) + 1
    smaller: dict[int, dict[int, float]] = {new: {}}
    enters: dict[int, int] = {}
    leaves: dict[int, int] = {}
    for word, arcs in graph.items():
        if word in cycle:
            own = arcs[best[word]]
            for head, score in arcs.items():
                if head not in cycle and score - own > smaller[new].get(head, -np.inf):
                    smaller[new][head] = score - own
                    enters[head] = word
            continue
        kept = smaller[word] = {h: s for h, s in arcs.items() if h not in cycle}
        inner = {h: s for h, s in arcs.items() if h in cycle}
        leaves[word] = max(inner, key=inner.__getitem__)
        kept[new] = inner[leaves[word]]
    heads = _contracted(smaller)
    outer = heads.pop(new)
    heads = {word: leaves[word] if head == new else head for word, head in heads.items()}
    return {**{word: best[word] for word in cycle}, **heads, enters[outer]: outer}


def _a_cycle(heads: dict[int, int]) -> set[int]:
    done: set[int] = {0}
    for start in heads:
        path: list[int] = []
        node = start
        while node not in done and node not in path:
            path.append(node)
            node = heads[node]
        if node in path:
            return set(path[path.index(node) :])
        done.update(path)
    return set()


def with_networkx(sentences: Sequence[Floats]) -> list[list[int]]:
    """networkx, of which the graph is built too: it has no other input."""
    import networkx

    found = []
    for scores in sentences:
        graph = networkx.DiGraph()
        for word, row in enumerate(_with_malus(scores).tolist(), start=1):
            graph.add_weighted_edges_from((h, word, s) for h, s in enumerate(row) if h != word)
        tree = networkx.maximum_spanning_arborescence(graph)
        found.append([next(iter(tree.predecessors(w))) for w in range(1, len(scores) + 1)])
    return found


def _with_malus(scores: Floats) -> Floats:
    scores = scores.copy()
    scores[:, 0] -= MALUS
    return scores


DECODERS: dict[str, Decoder] = {
    "bbert, batches of 64": in_batches,
    "bbert, one by one, always contracting": one_by_one,
    "plain Python": plain_python,
    "networkx": with_networkx,
}


def sums_of(sentences: Sequence[Floats], trees: Sequence[Sequence[int]]) -> list[float]:
    """The sum of scores of every tree; stops where one is none."""
    for heads in trees:
        assert tree_fault(heads) is None
    pairs = zip(sentences, trees, strict=True)
    return [float(s[np.arange(len(s)), list(heads)].sum()) for s, heads in pairs]


def measure(sentences: Sequence[Floats], rounds: int, slow: int) -> list[tuple[str, str]]:
    """Decoder → sentences a second; those in Python get every `slow`-th sentence only."""
    expected = sums_of(sentences, in_batches(sentences))
    rows = []
    for name, decoder in DECODERS.items():
        step = slow if decoder in (plain_python, with_networkx) else 1
        some = sentences[::step]
        decoder(some[-2:])  # imports
        rates = []
        for _ in range(rounds):
            start = time.perf_counter()
            found = decoder(some)
            rates.append(len(some) / (time.perf_counter() - start))
        np.testing.assert_allclose(sums_of(some, found), expected[::step], rtol=1e-9)
        middle = statistics.median(rates)
        rows.append((name, f"{middle:,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ud", type=Path)
    parser.add_argument("--treebank", default="UD_English-EWT")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow", type=int, default=20, help="decoders in Python: every n-th")
    options = parser.parse_args()
    (file,) = (options.ud / options.treebank).glob("*-ud-test.conllu")
    examples = PARSING.read([file], "en")
    trees = [[arc_of(label)[0] for label in example.labels] for example in examples]
    words = sum(map(len, trees))
    print(f"{options.treebank}: {len(trees):,} sentences, {words / len(trees):.1f} words each\n")
    for bonus in BONUSES:
        sentences = drawn_scores(trees, bonus)
        greedy = [scores.argmax(axis=1).tolist() for scores in sentences]
        share = sum(tree_fault(heads) is None for heads in greedy) / len(greedy)
        print(f"bonus {bonus:g}: {100 * share:.1f} % are trees before any decoding\n")
        print("| decoder | sentences/s |\n|---|---:|")
        for name, rate in measure(sentences, options.rounds, options.slow):
            print(f"| {name} | {rate} |")
        print()


if __name__ == "__main__":
    main()
