"""The application factory and what it puts together."""

from accord.app.factory import create_app as create_app
