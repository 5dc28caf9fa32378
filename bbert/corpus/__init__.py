"""Stage 1: dump or text → sentences → interventions → vocabulary → token store."""
