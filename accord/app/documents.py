"""The versions of the contract, and where each is published."""

from importlib.util import cache_from_source
from pathlib import Path

from accord.app.document_cache import DocumentCache
from accord.contract.document import Document
from accord.contract.errors import ContractError
from accord.engine.policies import rate_limits
from accord.settings import Settings, SettingsError

ROOT = Path(__file__).resolve().parents[2]
API_PREFIX = "/api"
CONTRACTS = {
    folder.name: folder / "openapi.yaml"
    for folder in sorted(ROOT.glob("openapi/v[0-9]*"), key=lambda folder: int(folder.name[1:]))
}
"""The index file of each version of the contract. Requests without a version get the first one."""
DOCUMENT_CACHE = DocumentCache(ROOT / "openapi", Path(cache_from_source(__file__)).with_suffix(".json"))
"""Where the contract is stored for the next start: beside the bytecode of this module."""
PUBLISHED = {version: f"{API_PREFIX}/{version}/openapi.json" for version in CONTRACTS}
"""The path at which each version of the contract is published."""


def load_document(version: str, settings: Settings) -> Document:
    """Return the contract of *version*, with the rate limits of the settings. Raises ContractError, SettingsError."""
    document = Document.read(CONTRACTS[version])
    override_limits(document, settings)
    return document


def override_limits(document: Document, settings: Settings) -> None:
    """Give *document* the rate limits of the settings. Raises SettingsError."""
    try:
        rate_limits.override_limits(document, settings.rate_limits)
    except ContractError as error:
        raise SettingsError(f"ACCORD_RATE_LIMITS: {error}") from None
