"""Measurements: metrics of speech, DNSMOS, evaluation of a model on files, what gates follow."""
