"""
The ASGI middleware around the contract. `accord/app/factory.py` has its order.

- `request_context`: request id, trace id, security headers, and the listeners of completed requests.
- `security_headers`: the security headers, which the server sends with its own problems as well.
- `cors`: cross-origin requests, by the methods and headers of the contract.
- `compression`: Brotli and gzip, with an entity tag for each coding.
- `versioning`: resolves the API version of a path without one.

`accord/engine/middleware.py` has the innermost middleware, which serves the contract.
"""
