#!/usr/bin/env bash
# openapi-typescript makes a property with a default required, or optional, depending on where the schema stands.
#
# Expected: a property that is not in `required` is optional for the caller; a default is why it can be left out.
# Seen:     the same schema gives `stock?: number` when it is written into the request body, and `stock: number` when
#           the request body refers to it by $ref. With --default-non-nullable false it is optional in both.
# Matters:  moving a schema to components, which changes nothing in the contract, breaks the compilation of every client
#           that relies on the default.
# Versions: openapi-typescript 7.13.0, typescript 5.9.3, Node 20.20.2; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
written in place: stock?: number;
by $ref: stock: number;
by $ref, --default-non-nullable false: stock?: number;
SEEN

npm install --silent --no-audit --no-fund --prefix . openapi-typescript@7.13.0 typescript@5.9.3
schema='{type: object, required: [name], properties: {name: {type: string}, stock: {type: integer, default: 0}}}'
document() {
    cat <<YAML
openapi: 3.1.0
info: {title: Products, version: '1'}
paths:
  /products:
    post:
      operationId: create_product
      requestBody: {required: true, content: {application/json: {schema: $1}}}
      responses: {'201': {description: Created.}}
components: {schemas: {NewProduct: $schema}}
YAML
}
stock() { node_modules/.bin/openapi-typescript "$@" 2>/dev/null | grep -o "stock.*"; }
document "$schema" | sed '$d' >in-place.yaml
document "{\$ref: '#/components/schemas/NewProduct'}" >referred.yaml
{
    echo "written in place: $(stock in-place.yaml)"
    echo "by \$ref: $(stock referred.yaml)"
    echo "by \$ref, --default-non-nullable false: $(stock referred.yaml --default-non-nullable false)"
} >seen

cat seen
diff expected seen
