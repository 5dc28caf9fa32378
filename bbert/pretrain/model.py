"""BERT for pretraining, made for speed: fused q/k/v, MLM head on the masked positions only.

The network of Devlin et al. 2019 as in `transformers`' BertForPreTraining, to which it is equal to
1e-4 with the same weights: learned positions, segment embeddings, LayerNorm after the residual
(eps 1e-12), exact GELU, decoder tied to the word embeddings. Choices:

* The last layer is computed for the positions that are predicted (and the first, with next-sentence
  prediction): nothing reads the others. Its keys and values are those of all positions.
* Without next-sentence prediction there is no pooler either: nothing would train it.
* All weights, the embedding of [PAD] too, start from N(0, 0.02), biases from 0; every tensor has a
  generator of its own, seeded with (seed, name), so that a weight does not depend on what else the
  model has, on the device or on the number of processes.
* Dropout depends on the row (`dropout`), except that of the attention on a GPU, which the fused
  kernel draws from torch's generator.
* On a GPU the vocabulary has room for more entries than it has, up to a multiple of 128, because
  tensor cores take whole tiles. Nothing leads there, and the scores are cut off before the loss;
  `trimmed` and `padded` go between these tensors and those that are stored.
* Sums and counts come out, and the global counts go in, so that the gradient of a batch is the sum
  of the gradients of its parts, however it is cut up.

Legend of suffixes: B rows, T positions, Q of them that are wanted, E hidden size, K slots for
predictions, M predictions of all rows, V vocabulary, L languages.
"""

from __future__ import annotations

import hashlib

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from bbert.pretrain.architecture import NUM_SEGMENTS, Architecture
from bbert.pretrain.attention import SelfAttention
from bbert.pretrain.dropout import RowDropout, site_keys
from bbert.pretrain.masking import IGNORED

LAYER_NORM_EPSILON = 1e-12
INITIAL_DEVIATION = 0.02
WITH_VOCABULARY = ("embeddings.word.weight", "mlm_head.bias")
"""Parameters with a row for every entry of the vocabulary."""
_SITES_PER_LAYER = 3
_ROWS_ROUNDED_TO = 64


class BertForPretraining(nn.Module):
    """BERT with the heads of its two objectives."""

    def __init__(
        self,
        architecture: Architecture,
        num_languages: int = 1,
        seed: int = 0,
        vocab_multiple: int = 1,
    ) -> None:
        """Build it with fresh weights.

        Args:
            architecture: its sizes.
            num_languages: languages that losses are reported for.
            seed: of the weights.
            vocab_multiple: room is made for a multiple of so many vocabulary entries.
        """
        super().__init__()
        self.architecture = architecture
        self.num_languages = num_languages
        self.static_shapes = False
        room = -(-architecture.vocab_size // vocab_multiple) * vocab_multiple
        with torch.device("meta"):  # torch's own initialisation would only cost time
            self.embeddings = Embeddings(architecture, room)
            self.layers = nn.ModuleList(Layer(architecture) for _ in range(architecture.depth))
            self.mlm_head = MaskedLanguageModelHead(architecture, room)
            self.nsp_head = NextSentenceHead(architecture) if architecture.nsp else None
        self.to_empty(device="cpu")
        initialise(self, seed)

    @property
    def vocab_room(self) -> int:
        """Vocabulary entries that the tensors have room for."""
        return self.embeddings.word.num_embeddings

    def trimmed(self, name: str, tensor: Tensor) -> Tensor:
        """A parameter, or something of its shape, without the room that no entry fills."""
        return tensor[: self.architecture.vocab_size] if name in WITH_VOCABULARY else tensor

    def padded(self, name: str, tensor: Tensor) -> Tensor:
        """What `trimmed` takes away, put back as zeros."""
        if name not in WITH_VOCABULARY or len(tensor) == self.vocab_room:
            return tensor
        room = tensor.new_zeros(self.vocab_room, *tensor.shape[1:])
        room[: len(tensor)] = tensor
        return room

    def encode(
        self,
        input_ids_BT: Tensor,
        segment_ids_BT: Tensor,
        attention_mask_BT: Tensor | None = None,
        row_keys_B: Tensor | None = None,
        last_at_BQ: Tensor | None = None,
    ) -> list[Tensor]:
        """Hidden states (B, T, E) of the embeddings and of every layer, as `forward` takes them.

        Args:
            last_at_BQ: positions that the last layer is wanted at, which is then (B, Q, E); None
                for all.
        """
        keys_SB: Tensor | None = None
        if row_keys_B is not None and self.training and self.architecture.dropout:
            keys_SB = site_keys(row_keys_B, 1 + _SITES_PER_LAYER * len(self.layers))
        mask_B11T = (
            None if attention_mask_BT is None else attention_mask_BT[:, None, None, :].bool()
        )
        hidden_BTE = self.embeddings(
            input_ids_BT, segment_ids_BT, None if keys_SB is None else keys_SB[0]
        )
        hidden_states = [hidden_BTE]
        for number, layer in enumerate(self.layers):
            first = 1 + number * _SITES_PER_LAYER
            keys_3B = None if keys_SB is None else keys_SB[first : first + _SITES_PER_LAYER]
            wanted_BQ = last_at_BQ if layer is self.layers[-1] else None
            hidden_BTE = layer(hidden_BTE, mask_B11T, keys_3B, wanted_BQ)
            hidden_states.append(hidden_BTE)
        return hidden_states

    def forward(
        self,
        input_ids_BT: Tensor,
        segment_ids_BT: Tensor,
        masked_positions_BK: Tensor,
        masked_labels_BK: Tensor,
        masked_languages_BK: Tensor,
        num_masked: Tensor,
        num_pairs: Tensor,
        attention_mask_BT: Tensor | None = None,
        next_sentence_labels_B: Tensor | None = None,
        row_keys_B: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Losses of some rows of a global batch.

        Args:
            input_ids_BT: ids with masks.
            segment_ids_BT: 0 or 1.
            masked_positions_BK: positions to predict.
            masked_labels_BK: int64, what stood there; `masking.IGNORED` in unused slots.
            masked_languages_BK: number of each prediction's language, below `num_languages`.
            num_masked: predictions of the global batch, float, no dimension.
            num_pairs: next-sentence labels of the global batch, float, no dimension.
            attention_mask_BT: False on padding; None where there is none.
            next_sentence_labels_B: int64, 0 next, 1 random; needed with NSP, refused without.
            row_keys_B: int64, seeds of dropout; needed in training with dropout.

        Returns:
            `loss`: this part's share of the global loss, mlm_loss_sum / num_masked +
            nsp_loss_sum / num_pairs; the shares of all parts add up to the loss of the batch, and
            their gradients to its gradient (where an engine averages over processes and
            accumulated micro-batches, multiply by the number of both).
            `mlm_loss_L`, `mlm_count_L`: summed loss and number of predictions per language.
            `nsp_loss`, `nsp_count`, `nsp_correct`: summed loss, number of pairs and of pairs told
            right, only with NSP. All float32, all but `loss` without gradient.
        """
        assert (next_sentence_labels_B is not None) == (self.nsp_head is not None)
        wanted_BQ = masked_positions_BK
        if self.nsp_head is not None:
            wanted_BQ = functional.pad(wanted_BQ, (1, 0))  # the first position, then the predicted
        hidden_BQE = self.encode(
            input_ids_BT, segment_ids_BT, attention_mask_BT, row_keys_B, wanted_BQ
        )[-1]
        masked_ME = hidden_BQE[:, -masked_positions_BK.shape[1] :].flatten(0, 1)
        labels_M, languages_M = masked_labels_BK.flatten(), masked_languages_BK.flatten()
        if not (self.static_shapes or masked_ME.is_cuda or torch.compiler.is_compiling()):
            # Shapes may differ from step to step here: pass over the slots that are left over.
            used = torch.nonzero(labels_M != IGNORED).squeeze(1)
            masked_ME = masked_ME.index_select(0, used)
            labels_M, languages_M = labels_M[used], languages_M[used]
        logits_MV = self.mlm_head(masked_ME, self.embeddings.word.weight)
        loss_M = functional.cross_entropy(
            logits_MV.float(), labels_M, ignore_index=IGNORED, reduction="none"
        )
        loss = loss_M.sum() / num_masked
        with torch.no_grad():
            # A product with zeros and ones: exact order, so the same to the bit every time.
            language_L1 = torch.arange(self.num_languages, device=labels_M.device)[:, None]
            used_M = labels_M != IGNORED
            member_LM = ((languages_M == language_L1) & used_M).float()
            outputs = {
                "mlm_loss_L": (member_LM * loss_M).sum(dim=1),
                "mlm_count_L": member_LM.sum(dim=1),
            }
        if self.nsp_head is not None and next_sentence_labels_B is not None:
            logits_B2 = self.nsp_head(hidden_BQE[:, 0])
            loss_B = functional.cross_entropy(
                logits_B2.float(), next_sentence_labels_B, ignore_index=IGNORED, reduction="none"
            )
            loss = loss + loss_B.sum() / num_pairs
            with torch.no_grad():
                used_B = next_sentence_labels_B != IGNORED
                outputs["nsp_loss"] = loss_B.sum()
                outputs["nsp_count"] = used_B.float().sum()
                right_B = (logits_B2.argmax(dim=-1) == next_sentence_labels_B) & used_B
                outputs["nsp_correct"] = right_B.float().sum()
        return {"loss": loss, **outputs}


class Embeddings(nn.Module):
    """Word, position and segment embeddings, added and normalised."""

    def __init__(self, architecture: Architecture, vocab_room: int) -> None:
        super().__init__()
        hidden = architecture.hidden
        self.word = nn.Embedding(vocab_room, hidden)
        self.position = nn.Embedding(architecture.max_positions, hidden)
        self.segment = nn.Embedding(NUM_SEGMENTS, hidden)
        self.norm = nn.LayerNorm(hidden, eps=LAYER_NORM_EPSILON)
        self.dropout = RowDropout(architecture.dropout)

    def forward(self, input_ids_BT: Tensor, segment_ids_BT: Tensor, key_B: Tensor | None) -> Tensor:
        position_TE = self.position.weight[: input_ids_BT.shape[1]]
        embedded_BTE = self.word(input_ids_BT) + self.segment(segment_ids_BT) + position_TE
        return self.dropout(self.norm(embedded_BTE), key_B)


class Layer(nn.Module):
    """Self-attention and feed-forward network, each with a residual and LayerNorm after it."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        hidden, intermediate = architecture.hidden, architecture.intermediate
        self.attention = SelfAttention(architecture)
        self.attention_norm = nn.LayerNorm(hidden, eps=LAYER_NORM_EPSILON)
        self.widen = nn.Linear(hidden, intermediate)
        self.narrow = nn.Linear(intermediate, hidden)
        self.output_norm = nn.LayerNorm(hidden, eps=LAYER_NORM_EPSILON)
        self.dropout = RowDropout(architecture.dropout)

    def forward(
        self,
        hidden_BTE: Tensor,
        mask_B11T: Tensor | None,
        keys_3B: Tensor | None,
        wanted_BQ: Tensor | None = None,
    ) -> Tensor:
        """Hidden states after it, (B, T, E), or (B, Q, E) where only these are wanted."""
        probability_key_B, attended_key_B, output_key_B = (
            (None, None, None) if keys_3B is None else keys_3B
        )
        asking_BQE = None if wanted_BQ is None else at_positions(hidden_BTE, wanted_BQ)
        attended_BQE = self.attention(hidden_BTE, mask_B11T, probability_key_B, asking_BQE)
        attended_BQE = self.dropout(attended_BQE, attended_key_B)
        before_BQE = hidden_BTE if asking_BQE is None else asking_BQE
        hidden_BQE = self.attention_norm(before_BQE + attended_BQE)
        output_BQE = self.narrow(functional.gelu(self.widen(hidden_BQE)))
        output_BQE = self.dropout(output_BQE, output_key_B)
        return self.output_norm(hidden_BQE + output_BQE)


def at_positions(hidden_BTE: Tensor, positions_BQ: Tensor) -> Tensor:
    """The hidden states (B, Q, E) at these positions of each row."""
    row_B1 = torch.arange(len(hidden_BTE), device=hidden_BTE.device)[:, None]
    places_M = (row_B1 * hidden_BTE.shape[1] + positions_BQ).flatten()
    return hidden_BTE.flatten(0, 1).index_select(0, places_M).unflatten(0, positions_BQ.shape)


class MaskedLanguageModelHead(nn.Module):
    """Scores of all word-pieces; the decoder's matrix is that of the word embeddings."""

    def __init__(self, architecture: Architecture, vocab_room: int) -> None:
        super().__init__()
        self.transform = nn.Linear(architecture.hidden, architecture.hidden)
        self.norm = nn.LayerNorm(architecture.hidden, eps=LAYER_NORM_EPSILON)
        self.bias = nn.Parameter(torch.empty(vocab_room))
        self._vocab_size = architecture.vocab_size

    def forward(self, hidden_ME: Tensor, word_embeddings_VE: Tensor) -> Tensor:
        transformed_ME = self.norm(gelu_of_many_sizes(self.transform(hidden_ME)))
        scores_MV = functional.linear(transformed_ME, word_embeddings_VE, self.bias)
        return scores_MV[..., : self._vocab_size]


def gelu_of_many_sizes(hidden_xME: Tensor) -> Tensor:
    """GELU of as many rows as there happen to be.

    On a CPU oneDNN computes it and keeps what it has compiled for every shape. There are as many
    predictions as the masks make, another number at every step; what is kept then lies between the
    large blocks of the steps and tears the process's memory to pieces, until twice as much is taken
    as is used. Rounded up, the numbers are few.
    """
    if hidden_xME.is_cuda or torch.compiler.is_compiling():
        return functional.gelu(hidden_xME)
    rows = hidden_xME.shape[-2]
    padded = functional.pad(hidden_xME, (0, 0, 0, -rows % _ROWS_ROUNDED_TO))
    return functional.gelu(padded)[..., :rows, :]


class NextSentenceHead(nn.Module):
    """Whether B follows A, from the pooled first position: scores of "next" and of "random"."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.pooler = nn.Linear(architecture.hidden, architecture.hidden)
        self.classifier = nn.Linear(architecture.hidden, 2)

    def forward(self, first_BE: Tensor) -> Tensor:
        return self.classifier(torch.tanh(self.pooler(first_BE)))


@torch.no_grad()
def initialise(model: BertForPretraining, seed: int) -> None:
    """Fresh weights: matrices N(0, 0.02), biases 0, LayerNorm 1 and 0."""
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
            generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))
            drawn = model.trimmed(name, parameter)
            drawn.normal_(0.0, INITIAL_DEVIATION, generator=generator)
            parameter[len(drawn) :] = 0.0  # room in the vocabulary: never drawn, never trained
        else:
            parameter.fill_(1.0 if name.endswith("norm.weight") else 0.0)
