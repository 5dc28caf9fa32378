"""The DeepSpeed engine of a run: one step for one global batch, on any number of processes.

DeepSpeed wraps the model, reduces gradients and applies ZeRO; its configuration is kept thin
(PyTorch's fused AdamW, no timers, no loss scaling: fp32, or bf16 by autocast over fp32 weights). A
process that is alone skips the reduction. The model divides its losses by the counts of the whole
global batch, so gradients are summed over micro-batches and processes, never averaged: the update
is the same whatever the number of either, but for the attention's dropout on a GPU
(`attention.kernel_draws_dropout`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from bbert.errors import InputError
from bbert.pretrain import process_group
from bbert.pretrain.compiling import compile_options, wants_compiling, wants_graphs
from bbert.pretrain.config import MAX_GRADIENT_NORM, Compile
from bbert.pretrain.memory import bucket_elements, checkpoint_bytes
from bbert.pretrain.model import BertForPretraining
from bbert.pretrain.optimizer import adamw, set_learning_rate
from bbert.pretrain.process_group import ProcessGroup

_MOMENTS = ("exp_avg", "exp_avg_sq")
_BUCKET_MULTIPLE = 1000  # DeepSpeed asks for a multiple of its alignment


@dataclass(frozen=True)
class EngineSettings:
    """How a step is carried out.

    Attributes:
        micro_batches: parts in which a process computes its rows.
        rows: rows of the largest part.
        compile: see `compiling`.
        steps: steps of the whole run, which decide whether compiling pays.
    """

    micro_batches: int
    rows: int
    weight_decay: float
    zero_stage: int
    precision: str
    device: str
    compile: Compile
    steps: int
    seed: int


class Engine:
    """A model under training."""

    def __init__(
        self, model: BertForPretraining, settings: EngineSettings, group: ProcessGroup
    ) -> None:
        """Hand the model to DeepSpeed; the processes must have been connected."""
        self.model = model.to(settings.device)
        self.device = settings.device
        self._group = group
        self._settings = settings
        deepspeed = process_group.import_deepspeed()
        with process_group.deepspeed_environment(group, settings.device):
            self._deepspeed, *_ = deepspeed.initialize(
                model=self.model,
                optimizer=adamw(self.model, settings.weight_decay),
                config=deepspeed_config(settings, group, self.model),
                dist_init_required=False,
            )
        self._parameters = list(self.model.parameters())
        if not self.zero:  # DeepSpeed's own walks through all modules, at every step
            self._deepspeed.zero_grad = self._clear_gradients
        self._compile_errors: tuple[type[Exception], ...] = ()
        self._graphs = wants_graphs(settings)
        if wants_compiling(settings):
            from torch._dynamo.exc import TorchDynamoException

            self._compile_errors = (TorchDynamoException,)
            self._deepspeed.compile(compile_kwargs=compile_options(self._graphs))

    @property
    def zero(self) -> bool:
        """Whether the optimiser's state is shared out."""
        return self._settings.zero_stage > 0

    def train_step(
        self,
        parts: Sequence[Mapping[str, Any]],
        rate: float,
        number: int,
        stop: Callable[[], bool] = lambda: False,
    ) -> tuple[list[dict[str, torch.Tensor]], torch.Tensor | float] | None:
        """One optimiser step on the micro-batches of this process.

        Args:
            parts: the model's arguments for each micro-batch.
            rate: learning rate.
            number: of the step, which seeds the attention's dropout on a GPU.
            stop: asked between two parts; where it says True the step is given up.

        Returns:
            What the model returned for each part, and the gradient's norm before clipping; on the
            device, unread. None for a step given up, which has left weights and moments as they
            were; no other step may follow it.
        """
        if self.device == "cuda":
            torch.cuda.manual_seed(_kernel_seed(self._settings.seed, number, self._group.rank))
        if self._graphs:  # what the step before has returned is read: its memory is free
            torch.compiler.cudagraph_mark_step_begin()
        set_learning_rate(self._deepspeed.basic_optimizer, rate)
        outputs = []
        norm: torch.Tensor | float = 0.0
        for left, tensors in zip(range(len(parts) - 1, -1, -1), parts, strict=True):
            if outputs and stop():
                return None
            try:
                outputs.append(self._forward_backward(tensors))
            except self._compile_errors as error:
                reason = str(error).strip().splitlines()[0]
                raise RuntimeError(f"torch.compile failed ({reason}); use --compile off") from error
            if not left and not self.zero:
                norm = torch.nn.utils.clip_grad_norm_(
                    self._parameters, MAX_GRADIENT_NORM, foreach=True
                )
            self._deepspeed.step()  # updates after the last part only
        if self.zero:  # each process holds its share of the gradient: DeepSpeed has clipped it
            norm = self._deepspeed.get_global_grad_norm()
        return outputs, norm

    def _forward_backward(self, tensors: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        outputs = self._deepspeed(**tensors)
        # DeepSpeed takes the mean over the processes: undo it, the losses are shares of a sum. And
        # a tensor other than the model's own output is one that it does not divide once more.
        loss = outputs["loss"] * self._group.size
        alone = self._group.size == 1 and not self.zero
        with self._deepspeed.no_sync() if alone else nullcontext():
            self._deepspeed.backward(loss, scale_wrt_gas=False)
        # Without its history: hundreds of small objects of each part, kept to the end of the step,
        # would lie between the large blocks of the next ones and tear memory to pieces.
        return outputs | {"loss": outputs["loss"].detach()}

    def _clear_gradients(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None

    @contextmanager
    def evaluation(self) -> Iterator[Callable[..., dict[str, torch.Tensor]]]:
        """Yields the model as it computes without dropout and without gradients."""
        bf16 = self._settings.precision == "bf16"
        self.model.eval()
        try:
            with torch.no_grad(), torch.autocast(self.device, torch.bfloat16, enabled=bf16):
                yield self.model
        finally:
            self.model.train()

    def state(self) -> dict[str, torch.Tensor]:
        """Weights and moments by parameter name, on the CPU; every process must call it.

        On a CPU they are not copied, which would take 12 bytes a parameter: the next step changes
        them. With ZeRO the moments are put together from all processes; only the leading one keeps
        them.
        """
        if self.zero:
            self._link_shares()
        tensors: dict[str, torch.Tensor] = {}
        for name, parameter in self.model.named_parameters():
            found = {"weight": parameter.detach()}
            found |= {moment: self._moment(parameter, moment) for moment in _MOMENTS}
            if self._group.leads:
                for kind, tensor in found.items():
                    stored = self.model.trimmed(name, tensor)
                    tensors[f"{kind}/{name}"] = stored.to("cpu").contiguous()
        return tensors

    @property
    def state_bytes(self) -> float:
        """What `state` takes of the host's memory, beside the training itself."""
        parameters = self.model.architecture.parameter_count()
        return checkpoint_bytes(parameters, self.device == "cuda", self._settings.zero_stage)

    @torch.no_grad()
    def load_state(self, tensors: Mapping[str, torch.Tensor], step: int) -> None:
        """Go on from what `state` returned after `step` steps.

        Raises:
            InputError: the tensors are those of another architecture.
        """
        named = dict(self.model.named_parameters())
        expected = {
            f"{kind}/{name}": tuple(self.model.trimmed(name, parameter).shape)
            for name, parameter in named.items()
            for kind in ("weight", *_MOMENTS)
        }
        if expected != {name: tuple(tensor.shape) for name, tensor in tensors.items()}:
            raise InputError(
                "the checkpoint is of another architecture; remove the run's checkpoints/ to start "
                "again at step 0, or use --name for a new run"
            )
        tensors = {key: self.model.padded(key.split("/")[1], t) for key, t in tensors.items()}
        for name, parameter in named.items():
            parameter.copy_(tensors[f"weight/{name}"])
        if self.zero:
            self._load_shares(tensors, step)
            return
        optimizer = self._deepspeed.basic_optimizer
        for name, parameter in named.items():
            optimizer.state[parameter] = {
                "step": torch.tensor(float(step), device=parameter.device),
                **{m: tensors[f"{m}/{name}"].to(parameter.device, copy=True) for m in _MOMENTS},
            }

    def _load_shares(self, tensors: Mapping[str, torch.Tensor], step: int) -> None:
        """Give every process its share of weights and moments, as ZeRO 1 and 2 lay them out."""
        from deepspeed.utils import safe_set_full_optimizer_state

        zero = self._deepspeed.optimizer
        zero.refresh_fp32_params()
        for share in zero.single_partition_of_fp32_groups:
            zero.optimizer.state[share] = {
                "step": torch.tensor(float(step), device=share.device),
                **{moment: torch.zeros_like(share) for moment in _MOMENTS},
            }
        self._link_shares()
        for name, parameter in self.model.named_parameters():
            for moment in _MOMENTS:
                value = tensors[f"{moment}/{name}"].to(parameter.device)
                safe_set_full_optimizer_state(parameter, value, moment)

    def _link_shares(self) -> None:
        """Let DeepSpeed find a parameter's moments within the shares.

        It does so itself after its first step, but for the first group of parameters only.
        """
        from deepspeed.utils import lazy_init_hp_params_optimizer_state

        zero = self._deepspeed.optimizer
        for parameters, share in zip(
            zero.bit16_groups, zero.single_partition_of_fp32_groups, strict=True
        ):
            lazy_init_hp_params_optimizer_state(parameters, share, zero.optimizer.state)

    def _moment(self, parameter: torch.nn.Parameter, moment: str) -> torch.Tensor:
        if self.zero:
            from deepspeed.utils import safe_get_full_optimizer_state

            tensor = safe_get_full_optimizer_state(parameter, moment)
            assert tensor is not None
            return tensor
        return self._deepspeed.basic_optimizer.state[parameter][moment]


def _kernel_seed(seed: int, step: int, rank: int) -> int:
    """Seed of torch's generator on a GPU: different for every step and process."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0] >> 1)


def deepspeed_config(
    settings: EngineSettings, group: ProcessGroup, model: torch.nn.Module
) -> dict[str, Any]:
    """DeepSpeed's own configuration: as thin as it goes."""
    zero: dict[str, Any] = {"stage": settings.zero_stage}
    if settings.zero_stage:
        # The default buckets take gigabytes, however small the model; one that holds all gradients
        # lets go of none before the end of the backward pass, so that nothing is shared out.
        bucket = bucket_elements(sum(parameter.numel() for parameter in model.parameters()))
        bucket = -(-bucket // _BUCKET_MULTIPLE) * _BUCKET_MULTIPLE
        zero |= {"reduce_bucket_size": bucket, "allgather_bucket_size": bucket}
    config: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": settings.rows,
        "gradient_accumulation_steps": settings.micro_batches,
        "train_batch_size": settings.rows * settings.micro_batches * group.size,
        "zero_optimization": zero,
        # Without ZeRO the engine clips itself: DeepSpeed would loop and all-reduce once more.
        "gradient_clipping": MAX_GRADIENT_NORM if settings.zero_stage else 0.0,
        "steps_per_print": None,
        "timers": {"throughput": {"enabled": False}},  # it would wait for the device every step
    }
    if settings.precision == "bf16":
        # No modules whose gradients may be rounded: ZeRO would add up those of all in bfloat16.
        config["torch_autocast"] = {
            "enabled": True,
            "dtype": "bfloat16",
            "lower_precision_safe_modules": [],
        }
    return config
