"""A pass over the held-out text: losses and perplexity per language."""

from __future__ import annotations

from bbert.pretrain.batches import BatchSource
from bbert.pretrain.engine import Engine
from bbert.pretrain.metrics import LossTable, validation_columns
from bbert.pretrain.process_group import ProcessGroup
from bbert.pretrain.stop_request import StopRequest


def validate(
    engine: Engine, source: BatchSource, group: ProcessGroup, stop: StopRequest
) -> dict[str, float] | None:
    """Losses and perplexity per language, by their names in `metrics.jsonl`.

    Every process must call it; they take the batches in turn. None where a signal asked to stop
    before the end.

    Args:
        source: the held-out text.
    """
    num_batches = source.num_batches or 0
    languages, nsp = source.languages, source.settings.nsp
    table = LossTable(len(languages), nsp, num_batches, group, engine.device)
    stop.restart_pace()
    with engine.evaluation() as model:
        for number in range(num_batches):
            if stop.requested():
                return None
            if number % group.size == group.rank:
                table.add_outputs(model(**source.batch(number).tensors(engine.device)))
            table.end_line()
    stop.restart_pace()
    return validation_columns(table.total(), languages, nsp)
