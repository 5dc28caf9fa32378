"""What the terminal shows at the end of the demo: the report's transfer tables."""

from __future__ import annotations

from bbert.report.summary import summary

__all__ = ["summary"]
