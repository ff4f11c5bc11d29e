"""The pages a person reads: the contract with try-it-out, and what each problem type means."""

from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, render_template, request, send_from_directory

from accord.portal.problems import load_problem_types

SWAGGER_UI = Path(str(distribution("flask-openapi-swagger").locate_file("flask_openapi_swagger/templates/swagger")))

# Swagger UI's style sheet holds its icons as data: URLs, and images among answers are shown from blob: URLs.
# All else is files of this host: no inline script, no inline style.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def register_portal(flask_app: Flask, *, contracts: Mapping[str, str], problems: Path) -> None:
    """
    Add `/docs`, `/problems` and `/status`.

    The first shows the contract of a version, `/docs?version=v2`, served at the path that *contracts* has for
    it; the second shows the Markdown file *problems*; the third draws what the first of *contracts* says of the last
    hour.
    """
    blueprint = Blueprint(
        "pages", __name__, template_folder="templates", static_folder="static", static_url_path="/pages"
    )
    # A slash too many is another path here, too, and nobody is sent on to a host that they have named themselves.
    flask_app.url_map.merge_slashes = False
    types = load_problem_types(problems)
    first = next(iter(contracts))

    @blueprint.get("/docs")
    def docs() -> str:
        version = request.args.get("version", first)
        if version not in contracts:
            abort(404)
        return render_template("docs.html", contract=contracts[version], version=version, versions=list(contracts))

    @blueprint.get("/problems")
    def problem_types() -> str:
        return render_template("problems.html", contract=contracts[first], content=types.html, slugs=types.slugs)

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
        # The server says it, too.
        response.headers.pop("Date", None)
        return response

    flask_app.register_blueprint(blueprint)
