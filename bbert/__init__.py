"""bbert: what makes a BERT pretrained on the raw text of two languages transfer between them?"""

__version__ = "0.1.0"
