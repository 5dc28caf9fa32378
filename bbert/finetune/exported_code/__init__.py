"""Code that goes along with an exported fused model, so that it loads where bbert is not installed.

`export.py` copies the two modules into the model's folder, and the fusion's own file beside them as
`fusion.py`. They import transformers, torch and each other, nothing else.
"""
