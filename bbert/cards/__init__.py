"""Model and data cards: what a run made, from what, with which result, as Hugging Face reads it."""
