"""How the service is watched from outside: what it logs, counts and traces."""
