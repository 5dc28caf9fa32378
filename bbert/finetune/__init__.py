"""Stage 3: fine-tune an encoder in the source language, test it in every language asked for."""
