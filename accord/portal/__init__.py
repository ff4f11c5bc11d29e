"""The portal: HTML pages of the contract with try-it-out, of the problem types, and of the status."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, render_template, request, send_from_directory

from accord.portal.problems import ProblemTypes, render_problem_types

SWAGGER_UI = Path(str(distribution("flask-openapi-swagger").locate_file("flask_openapi_swagger/templates/swagger")))

# The style sheet of Swagger UI has icons in data: URLs, and images in responses are shown from blob: URLs.
# Everything else is a file of this host: no inline script, no inline style.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


PATHS = ("/docs", "/problems", "/status", "/portal")
"""The paths of the portal; all others are below them."""


def register_portal(flask_app: Flask, *, contracts: Mapping[str, str], problems: Path) -> None:
    """
    Add `/docs`, `/problems` and `/status`.

    `/docs` shows the contract of a version, as in `/docs?version=v2`, from the path that *contracts* has for it.
    `/problems` shows the Markdown file *problems*. `/status` plots the last hour, which it gets from the first of
    *contracts*.
    """
    blueprint = Blueprint(
        "portal", __name__, template_folder="templates", static_folder="static", static_url_path="/portal"
    )
    # A path with two slashes is unknown. Flask would redirect it to the host that the request names.
    flask_app.url_map.merge_slashes = False
    text = problems.read_text("utf-8")
    first = next(iter(contracts))

    @cache
    def types() -> ProblemTypes:
        return render_problem_types(text)

    @blueprint.get("/docs")
    def docs() -> str:
        version = request.args.get("version", first)
        if version not in contracts:
            abort(404)
        return render_template("docs.html", contract=contracts[version], version=version, versions=list(contracts))

    @blueprint.get("/problems")
    def problem_types() -> str:
        return render_template("problems.html", contract=contracts[first], content=types().html, slugs=types().slugs)

    @blueprint.get("/status")
    def status() -> str:
        return render_template("status.html", contract=contracts[first])

    @blueprint.get("/docs/swagger-ui/<path:file>")
    def swagger_ui(file: str) -> Response:
        return send_from_directory(SWAGGER_UI, file)

    @blueprint.after_request
    def guard(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        if (response.mimetype or "").startswith("text/"):
            response.vary.add("Accept-Encoding")
        if response.status_code < 400:
            response.headers["Cache-Control"] = "public, no-cache"
        # The server sets Date itself.
        response.headers.pop("Date", None)
        return response

    flask_app.register_blueprint(blueprint)
