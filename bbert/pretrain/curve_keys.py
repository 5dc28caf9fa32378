"""The names of the multilinguality curves in `metrics.jsonl`, and their best layers in words.

sentence_translation/enfake-en/layer3    from enfake to en, at layer 3 (0: the embeddings)
sentence_translation_chance/enfake-en
word_translation/enfake-en/layer3
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SENTENCES, WORDS = "sentence_translation", "word_translation"


def layer_key(measure: str, languages: tuple[str, str], layer: int) -> str:
    """Name of an accuracy."""
    return f"{measure}/{'-'.join(languages)}/layer{layer}"


def chance_key(measure: str, languages: tuple[str, str]) -> str:
    """Name of the accuracy of guessing: one over the number of candidates."""
    return f"{measure}_chance/{'-'.join(languages)}"


def layers(
    values: Mapping[str, Any], measure: str
) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """(from, to) → (layer, accuracy) of a row, the layers in order."""
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for key, value in values.items():
        head, _, layer = key.rpartition("/layer")
        if head.startswith(f"{measure}/") and layer.isdigit():
            here, _, there = head.removeprefix(f"{measure}/").partition("-")
            found.setdefault((here, there), []).append((int(layer), value))
    return {languages: sorted(points) for languages, points in found.items()}


def best_layers(values: Mapping[str, Any]) -> str:
    """A line for each pair and measure: the layer that is best on the mean of both directions."""
    lines = []
    for measure in (SENTENCES, WORDS):
        directions = layers(values, measure)
        for (here, there), points in directions.items():
            back = dict(directions.get((there, here), points))
            if (there, here) in directions and here > there:
                continue  # said with the other direction
            layer, value = max(
                ((layer, (value + back[layer]) / 2) for layer, value in points),
                key=lambda found: found[1],
            )
            chance = values[chance_key(measure, (here, there))]
            lines.append(
                f"{measure.replace('_', ' ')} {here}/{there}: {100 * value:.1f} % "
                f"(layer {layer}, chance {100 * chance:.1f} %)"
            )
    return "\n".join(lines)
