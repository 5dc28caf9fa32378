"""Published tables by one command: recipes and a scale become a plan of ordinary bbert runs."""
