"""B-BERT → measurements without fine-tuning, and what finished runs say together."""
