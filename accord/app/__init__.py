"""The application factory, and the container of the parts that it assembles."""

from accord.app import deferred_imports as deferred_imports
from accord.app.factory import create_app as create_app
