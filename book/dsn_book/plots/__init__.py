"""Figures and displays of the book; each returns a figure with the words that describe it."""
