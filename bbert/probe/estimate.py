"""What a probe of a model costs, before its weights are loaded; for `--dry-run`."""

from __future__ import annotations

from bbert.probe.layer_plan import LayerPlan

_OPERATIONS_PER_SECOND = 3e10  # of float32 on one core, as measured on two ordinary cores
_PIECES_PER_WORD = 1.4
_LIBRARIES_GB = 0.6  # torch and transformers


def estimates(plan: LayerPlan) -> dict[str, str]:
    """Quantity → value."""
    words = sum(len(s.split()) for lines in plan.text.sentences.values() for s in lines)
    operations = bytes_of_vectors = memory = 0.0
    for probed in plan.models:
        config = probed.folder.config
        depth, hidden = probed.folder.depth, int(config["hidden_size"])
        inner = int(config.get("intermediate_size", 4 * hidden))
        body = depth * (4 * hidden**2 + 2 * hidden * inner)
        weights = body + int(config["vocab_size"]) * hidden
        operations += 2 * body * words * _PIECES_PER_WORD
        vectors = 4 * hidden * len(plan.text)
        bytes_of_vectors = max(bytes_of_vectors, vectors * (depth + 1) * len(plan.text.sentences))
        memory = max(memory, 4 * weights + 12 * vectors)
    minutes = operations / _OPERATIONS_PER_SECOND / 60
    return {
        "models": ", ".join(probed.title for probed in plan.models),
        "sentences": f"{len(plan.text):,} in each of {', '.join(plan.text.languages)}",
        "time": f"about {minutes:.0f} minutes on one core" if minutes > 1 else "about a minute",
        "memory": f"{_LIBRARIES_GB + memory / 1e9:.1f} GB",
        "disk": f"{bytes_of_vectors / 1e6:.0f} MB while it runs, then below 1 MB",
    }
