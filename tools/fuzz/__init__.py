"""Odd and damaged input of every kind through the package: each is taken or refused, and nothing else happens."""
