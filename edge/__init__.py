"""What stands around the application: how bytes become requests."""
