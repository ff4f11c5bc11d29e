"""Users, sessions, credentials, and the caller that a request's credentials belong to."""
