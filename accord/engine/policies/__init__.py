"""
What an operation does beyond its handler, because its contract declares it.

A policy is a function of a compiled operation and of what the operation does. It
returns what the operation shall do instead, or None if the contract of the operation
does not ask for the policy: an operation pays only for what it declares.
"""

from collections.abc import Callable
from typing import Any

from accord.engine.renderers.response import Response
from accord.engine.request import Request

Handle = Callable[[Request, Any], Response]
"""What an operation does with a request and the session of its unit of work."""
