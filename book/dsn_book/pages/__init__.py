"""Texts and tables of single pages."""
