"""Dynamically slimmable speech enhancement with metric-guided training."""

__version__ = "0.1.0"
