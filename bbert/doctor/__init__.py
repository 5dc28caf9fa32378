"""What this machine has for bbert, what is missing and the mend; nothing is changed."""
