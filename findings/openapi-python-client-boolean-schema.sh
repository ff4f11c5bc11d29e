#!/usr/bin/env bash
# openapi-python-client generates nothing from a document in which one schema is `true` or `false`.
#
# Expected: OpenAPI 3.1 schemas are JSON Schema 2020-12, in which true and false are schemas. `items: false` is how
#           prefixItems closes a tuple. What a generator does not understand, it leaves out with a warning, as this
#           one does elsewhere.
# Seen:     openapi-spec-validator says OK. The generator ends with exit status 1, "Input should be a valid dictionary
#           or instance of Schema", and no client is created. With `items: {not: {}}`, which means the same, it
#           generates.
# Matters:  one component makes the whole contract unusable to a client team, after the validator has passed it.
#           `additionalProperties: false`, the most common boolean schema, is no problem, which hides the limit.
# Versions: openapi-python-client 0.29.1, openapi-spec-validator 0.9.0, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
items: false: validator OK, exit status 1, client: no
items: {not: {}}: validator OK, exit status 0, client: yes
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check openapi-python-client==0.29.1 openapi-spec-validator==0.9.0
for items in 'false' '{not: {}}'; do
    cat >openapi.yaml <<YAML
openapi: 3.1.0
info: {title: Places, version: '1'}
paths:
  /place:
    get:
      operationId: get_place
      responses: {'200': {description: A place., content: {application/json: {schema: {\$ref: '#/components/schemas/Place'}}}}}
components:
  schemas:
    Place:
      type: object
      additionalProperties: false
      properties:
        position: {type: array, prefixItems: [{type: number}, {type: number}], items: $items}
YAML
    valid=$(venv/bin/openapi-spec-validator openapi.yaml | sed 's/.*: //')
    status=0
    PATH="$work/venv/bin:$PATH" openapi-python-client generate --path openapi.yaml --output-path client --meta none \
        >said 2>&1 || status=$?
    echo "items: $items: validator $valid, exit status $status, client: $([ -d client ] && echo yes || echo no)"
done >seen

cat seen
diff expected seen
