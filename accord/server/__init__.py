"""The HTTP/1.1 server: protocol, timeouts, graceful shutdown and the supervisor of worker processes."""
