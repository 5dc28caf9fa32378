"""The embedded sample: a small world that writes dumps and labelled task files."""
