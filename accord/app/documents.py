"""The versions of the contract, and where each is published."""

from pathlib import Path

from accord.contract.document import Document
from accord.contract.errors import ContractError
from accord.engine.policies import rate_limits
from accord.settings import Settings, SettingsError

ROOT = Path(__file__).resolve().parents[2]
BASE = "/api"
CONTRACTS = {
    index.parent.name: index
    for index in sorted(ROOT.glob("openapi/v*/openapi.yaml"), key=lambda index: int(index.parent.name[1:]))
}
"""The index of each version of the contract; the first is what a request without a version is for."""
PUBLISHED = {version: f"{BASE}/{version}/openapi.json" for version in CONTRACTS}


def document(version: str, settings: Settings) -> Document:
    """Return the contract of *version*, with the rate limits that are set."""
    document = Document.read(CONTRACTS[version])
    try:
        rate_limits.override_limits(document, settings.rate_limits)
    except ContractError as error:
        raise SettingsError(f"ACCORD_RATE_LIMITS: {error}") from None
    return document
