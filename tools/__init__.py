"""What the Makefile runs: environment, lock, notebooks, book, checks. Not part of the installed package."""
