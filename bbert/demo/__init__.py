"""The whole job on the embedded sample, in minutes."""
