"""The benchmark of Accord and its peers: the same four requests on the same tables, measured in turns."""
