"""All patches of other packages. Each names the version that it was written for."""

from connexion.spec import OpenAPISpecification
from PIL import Image


def apply() -> None:
    """Patch Connexion and Pillow. A second call changes nothing."""
    # Connexion 3.3 validates with a schema of OpenAPI 3.0. The engine validates the contract, and the tests do as 3.1.
    OpenAPISpecification.openapi_schema = {}
    # Pillow 13 would warn above one limit and refuse above another. `accord.storage.images` has the only limit.
    Image.MAX_IMAGE_PIXELS = None
