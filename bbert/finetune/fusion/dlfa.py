"""`dlfa`: double layers feature aggregation of a lower and the last layer (Chen et al. 2022).

`dlfa-global` and `dlfa-local` are the ablations of table V: the other branch is replaced by a
second copy of the kept one, with weights of its own, so that all three have the same size.

Attentional information fusion (AIF, eq. 1-3) of an input W has a global branch, on the mean of W
over the sentence, and a local branch, on every word-piece; each is a bottleneck of two 1×1
convolutions with batch normalisation. Their sum s gives the gate of eq. 4:

    W = (L1 + L2) / 2        L = L1 ⊙ gate + L2 ⊙ (1 − gate)

Choices
    gate `sigmoid` (default): gate = σ(s), so that L lies between L1 and L2. The paper subtracts the
        gate from 1 "to keep the scale", which holds only for a gate within 0 and 1; the module this
        one descends from (AFF of "Attentional Feature Fusion") has it so.
    gate `paper`: gate = AIF(W) = W ⊙ σ(s), literally eq. 3 and 4; not bounded.
    pool `masked` (default): the mean runs over the word-pieces of the sentence. Padding never
        changes a result.
    pool `paper`: the mean runs over all T positions, padding counted, like a plain pooling layer.
    Batch statistics ignore padding under both. Where a channel has one value only (a batch of one
        in the global branch), its variance is unknown: the running statistics are used, as in
        evaluation.
    L is computed as L2 + gate ⊙ (L1 − L2): the same in real numbers, and exactly L2 if L1 = L2.
    A 1×1 convolution over T is a linear map of E: `nn.Linear` is that, without transpositions.
    Kaiming initialisation (normal, fan-in, gain of ReLU), biases 0, norm weights 1 and biases 0.

B = sequences, T = word-pieces, E = hidden size, N = values of a channel.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

GATES = ("sigmoid", "paper")
POOLS = ("masked", "paper")
BRANCHES = {"both": ("global", "local"), "global": ("global",) * 2, "local": ("local",) * 2}


class MaskedBatchNorm(nn.Module):
    """Batch normalisation of the last dimension whose statistics come from unmasked positions.

    On a full mask it equals `nn.BatchNorm1d` on the flattened positions. Statistics are float32.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalise `values` (…, features); `mask` (…) is True where a position counts."""
        mean, variance = self.running_mean, self.running_var
        if self.training:
            counted_NE = values[mask] if mask is not None else values.flatten(0, -2)
            counted_NE = counted_NE.to(self.running_mean.dtype)
            num_values = counted_NE.shape[0]
            if num_values > 1:
                variance, mean = torch.var_mean(counted_NE, dim=0, correction=0)
                with torch.no_grad():
                    unbiased = variance * (num_values / (num_values - 1))
                    self.running_mean.lerp_(mean, self.momentum)
                    self.running_var.lerp_(unbiased, self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return values * scale + (self.bias - mean * scale)


class Bottleneck(nn.Module):
    """One branch of AIF: 1×1 convolution down, ReLU, 1×1 convolution up (eq. 1, 2)."""

    def __init__(self, hidden_size: int, reduction: int) -> None:
        super().__init__()
        narrow = max(1, hidden_size // reduction)
        self.down = nn.Linear(hidden_size, narrow)
        self.down_norm = MaskedBatchNorm(narrow)
        self.up = nn.Linear(narrow, hidden_size)
        self.up_norm = MaskedBatchNorm(hidden_size)
        for convolution in (self.down, self.up):
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            nn.init.zeros_(convolution.bias)

    def forward(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        narrow = torch.relu(self.down_norm(self.down(values), mask))
        return self.up_norm(self.up(narrow), mask)


class DLFA(nn.Module):
    """Fuses a lower layer into the last one (Chen et al. 2022, eq. 1-4).

    Args:
        hidden_size: E; 595,584 parameters for 768 with `reduction` 4.
        reduction: r, how much narrower the bottlenecks are.
        gate: "sigmoid" or "paper", see the head of this file.
        pool: "masked" or "paper", see the head of this file.
        branches: "both", or the branch that is kept in the ablation, "global" or "local".

    Raises:
        ValueError: an unknown gate, pool or branch.
    """

    def __init__(
        self,
        hidden_size: int,
        reduction: int = 4,
        gate: str = "sigmoid",
        pool: str = "masked",
        branches: str = "both",
    ) -> None:
        super().__init__()
        if gate not in GATES:
            raise ValueError(f"gate {gate!r} is none of {', '.join(GATES)}")
        if pool not in POOLS:
            raise ValueError(f"pool {pool!r} is none of {', '.join(POOLS)}")
        if branches not in BRANCHES:
            raise ValueError(f"branches {branches!r} is none of {', '.join(BRANCHES)}")
        self.gate, self.pool = gate, pool
        self._branch_kinds: dict[str, str] = {}
        for kind in BRANCHES[branches]:
            name = f"{kind}_branch"
            name = f"second_{name}" if name in self._branch_kinds else name
            self._branch_kinds[name] = kind
            self.add_module(name, Bottleneck(hidden_size, reduction))

    def forward(
        self, lower_BTE: Tensor, last_BTE: Tensor, attention_mask_BT: Tensor | None = None
    ) -> Tensor:
        """The fused representation (B, T, E); positions that the mask leaves out are not defined.

        Args:
            lower_BTE: L1, `hidden_states[X]` for the system the paper calls D_X.
            last_BTE: L2, the output of the last layer.
            attention_mask_BT: non-zero where there is a word-piece; None where no row is padded.
        """
        mean_BTE = (lower_BTE + last_BTE) / 2
        mask_BT = None if attention_mask_BT is None else attention_mask_BT != 0
        weight_BTE = self._attention(mean_BTE, mask_BT)
        gate_BTE = mean_BTE * weight_BTE if self.gate == "paper" else weight_BTE
        return last_BTE + gate_BTE * (lower_BTE - last_BTE)

    def _attention(self, values_BTE: Tensor, mask_BT: Tensor | None) -> Tensor:
        def output(name: str, kind: str) -> Tensor:
            branch = self.get_submodule(name)
            if kind == "local":
                return branch(values_BTE, mask_BT)
            return branch(self._pooled(values_BTE, mask_BT)).unsqueeze(1)

        first, second = (output(name, kind) for name, kind in self._branch_kinds.items())
        return torch.sigmoid(first + second)

    def _pooled(self, values_BTE: Tensor, mask_BT: Tensor | None) -> Tensor:
        if mask_BT is None or self.pool == "paper":
            return values_BTE.mean(dim=1)
        # Padding may hold anything, NaN too: select, do not multiply.
        kept_BTE = values_BTE.masked_fill(~mask_BT.unsqueeze(-1), 0)
        return kept_BTE.sum(dim=1) / mask_BT.sum(dim=1, keepdim=True).clamp(min=1)


def build(
    name: str, *, hidden_size: int, depth: int, layer: int, gate: str | None, pool: str | None
) -> tuple[nn.Module, tuple[int, ...]]:
    """The module and the layers it reads."""
    branches = name.partition("-")[2] or "both"
    module = DLFA(hidden_size, gate=gate or GATES[0], pool=pool or POOLS[0], branches=branches)
    return module, (layer, depth)
