"""The OpenAPI document, without HTTP: bundling, validation and JSON Schema validators."""
