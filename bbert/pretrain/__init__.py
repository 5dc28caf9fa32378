"""Token store → B-BERT: pretraining with DeepSpeed."""
