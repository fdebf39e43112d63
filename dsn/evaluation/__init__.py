"""Measurements: metrics of speech, DNSMOS, and the evaluation of a model on files."""
