"""Accord beside its peers: the same four requests on the same tables, measured in turns."""
