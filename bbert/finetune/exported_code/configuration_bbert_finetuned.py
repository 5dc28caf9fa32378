"""Configuration of an encoder fine-tuned by bbert with a fusion of its layers."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig


class BbertFinetunedConfig(PretrainedConfig):
    """`encoder`: the encoder's own configuration; `network`: head, fusion and their settings."""

    model_type = "bbert-finetuned"

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        network: dict[str, Any] | None = None,
        **others: Any,
    ) -> None:
        self.encoder = encoder or {}
        self.network = network or {}
        super().__init__(**others)
