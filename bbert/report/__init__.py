"""Room 5: runs → tables, figures, one page."""
