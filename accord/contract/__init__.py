"""The OpenAPI document, without HTTP: bundling, validation, page links and JSON Schema validators."""
