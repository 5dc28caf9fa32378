"""The numbers of the four papers, and what can be said of them."""
