"""One file a change, oldest first; never edited after release."""
