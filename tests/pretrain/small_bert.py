"""A small model, random arguments for it, and what `transformers`' BERT makes of them."""

from __future__ import annotations

import torch
import torch.nn.functional as functional

from bbert.pretrain.architecture import Architecture
from bbert.pretrain.export import hugging_face_config, hugging_face_weights
from bbert.pretrain.masking import IGNORED
from bbert.pretrain.model import BertForPretraining

SMALL = Architecture(2, 4, 32, 80, 97, max_positions=40, dropout=0.0)


def perturbed(architecture: Architecture, num_languages: int = 2) -> BertForPretraining:
    """A model whose weights are all away from their initial values, LayerNorm and biases too."""
    model = BertForPretraining(architecture, num_languages, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.05 * noise if parameter.dim() == 1 else 0.02 * noise)
    return model


def inputs(architecture: Architecture, rows: int = 6, positions: int = 24, slots: int = 5, seed=0):
    """Random arguments of `forward`; some slots and pairs do not count, some positions are pad."""
    generator = torch.Generator().manual_seed(seed)

    def integers(high: int, *shape: int) -> torch.Tensor:
        return torch.randint(high, shape, generator=generator)

    used = torch.rand(rows, slots, generator=generator) < 0.8
    labels = torch.where(used, integers(architecture.vocab_size, rows, slots), IGNORED)
    lengths = 1 + integers(positions, rows)
    pairs = integers(2, rows)
    pairs[-1] = IGNORED
    return {
        "input_ids_BT": integers(architecture.vocab_size, rows, positions),
        "segment_ids_BT": integers(2, rows, positions),
        "attention_mask_BT": torch.arange(positions) < lengths[:, None],
        "masked_positions_BK": integers(positions, rows, slots),
        "masked_labels_BK": labels,
        "masked_languages_BK": integers(2, rows, slots),
        "next_sentence_labels_B": pairs if architecture.nsp else None,
        "row_keys_B": torch.randint(-(2**62), 2**62, (rows,), generator=generator),
        "num_masked": torch.tensor(float(used.sum())),
        "num_pairs": torch.tensor(float(rows - 1)),
    }


def reference(model: BertForPretraining):
    """`transformers`' BERT with the same weights."""
    from transformers import BertConfig, BertForMaskedLM, BertForPreTraining

    config = BertConfig(**hugging_face_config(model.architecture))
    kind = BertForPreTraining if model.architecture.nsp else BertForMaskedLM
    bert = kind(config)
    missing, unexpected = bert.load_state_dict(hugging_face_weights(model), strict=False)
    assert not unexpected
    assert set(missing) <= {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
    bert.tie_weights()
    return bert.train(model.training)


def slow_losses(model: BertForPretraining, arguments) -> dict[str, torch.Tensor]:
    """What `forward` should return, from the reference and one prediction at a time."""
    outputs = reference(model)(
        input_ids=arguments["input_ids_BT"],
        token_type_ids=arguments["segment_ids_BT"],
        attention_mask=arguments["attention_mask_BT"].long(),
    )
    logits = outputs.prediction_logits if model.architecture.nsp else outputs.logits
    sums, counts = torch.zeros(model.num_languages), torch.zeros(model.num_languages)
    for row, slots in enumerate(arguments["masked_labels_BK"]):
        for slot, label in enumerate(slots):
            if label != IGNORED:
                language = arguments["masked_languages_BK"][row, slot]
                position = arguments["masked_positions_BK"][row, slot]
                sums[language] += functional.cross_entropy(logits[row, position], label)
                counts[language] += 1
    expected = {"mlm_loss_L": sums, "mlm_count_L": counts, "loss": sums.sum() / counts.sum()}
    if model.architecture.nsp:
        labels, scores = arguments["next_sentence_labels_B"], outputs.seq_relationship_logits
        used = labels != IGNORED
        expected["nsp_loss"] = functional.cross_entropy(scores[used], labels[used]) * used.sum()
        expected["nsp_count"] = used.sum()
        expected["nsp_correct"] = (scores.argmax(1) == labels)[used].sum()
        expected["loss"] = expected["loss"] + expected["nsp_loss"] / used.sum()
    return expected
