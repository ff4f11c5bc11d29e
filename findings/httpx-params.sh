#!/usr/bin/env bash
# httpx throws the query of a URL away when a request has params, even empty ones.
#
# Expected: params are added to the query that the URL has, as requests does.
# Seen:     with params={"per_page": 50} the URL loses cursor=abc, and with params={} it loses everything. Only
#           params=None keeps the query. httpx2 does the same.
# Matters:  a client that follows the "next" link of a page, and passes its usual params, loses the cursor: it reads the
#           first page again, without an error, and possibly without an end.
# Versions: httpx 0.28.1, httpx2 2.16.2, requests 2.34.2, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
httpx params=None: http://example.org/products?cursor=abc
httpx params={}: http://example.org/products
httpx params={'per_page': 50}: http://example.org/products?per_page=50
httpx2 params=None: http://example.org/products?cursor=abc
httpx2 params={}: http://example.org/products
httpx2 params={'per_page': 50}: http://example.org/products?per_page=50
requests params=None: http://example.org/products?cursor=abc
requests params={}: http://example.org/products?cursor=abc
requests params={'per_page': 50}: http://example.org/products?cursor=abc&per_page=50
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check httpx==0.28.1 httpx2==2.16.2 requests==2.34.2
venv/bin/python - >seen <<'PYTHON'
import httpx
import httpx2
import requests

URL = "http://example.org/products?cursor=abc"
for library in (httpx, httpx2, requests):
    for params in (None, {}, {"per_page": 50}):
        request = library.Request("GET", URL, params=params)
        url = request.prepare().url if library is requests else request.url
        print(f"{library.__name__} params={params}: {url}")
PYTHON

cat seen
diff expected seen
