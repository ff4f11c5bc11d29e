"""The application factory and what it puts together."""
