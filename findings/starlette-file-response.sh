#!/usr/bin/env bash
# Starlette's FileResponse sends an ETag, and ignores the If-None-Match that comes back with it.
#
# Expected: a response class that makes ETag, Last-Modified and ranges answers conditions: 304 for the tag it gave,
#           and ranges for GET only, the one method for which RFC 9110, section 14.2, defines them.
# Seen:     If-None-Match with the very tag is a 200 with the whole file, If-Modified-Since too. If-Range, which needs
#           the same comparison, is honoured. HEAD with Range is a 206. (StaticFiles does answer 304.)
# Matters:  a contract that declares 304 for a download is never true. Caches revalidate, and get all the bytes each
#           time.
# Versions: starlette 1.10.0, httpx2 2.16.2, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
GET If-None-Match: 200, 10 bytes
GET If-Modified-Since: 200, 10 bytes
GET Range: 206, 2 bytes
GET Range, If-Range of another tag: 200, 10 bytes
HEAD Range: 206, 0 bytes
StaticFiles, GET If-None-Match: 304, 0 bytes
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check starlette==1.10.0 httpx2==2.16.2
mkdir files
printf 0123456789 >files/digits.txt
venv/bin/python - >seen <<'PYTHON'
from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient


async def download(request):
    return FileResponse("files/digits.txt")


client = TestClient(Starlette(routes=[Route("/download", download), Mount("/files", StaticFiles(directory="files"))]))
given = client.get("/download").headers
requests = {
    "GET If-None-Match": {"If-None-Match": given["etag"]},
    "GET If-Modified-Since": {"If-Modified-Since": given["last-modified"]},
    "GET Range": {"Range": "bytes=0-1"},
    "GET Range, If-Range of another tag": {"Range": "bytes=0-1", "If-Range": '"other"'},
    "HEAD Range": {"Range": "bytes=0-1"},
}
for name, headers in requests.items():
    answer = client.request(name.split()[0], "/download", headers=headers)
    print(f"{name}: {answer.status_code}, {len(answer.content)} bytes")
tag = client.get("/files/digits.txt").headers["etag"]
answer = client.get("/files/digits.txt", headers={"If-None-Match": tag})
print(f"StaticFiles, GET If-None-Match: {answer.status_code}, {len(answer.content)} bytes")
PYTHON

cat seen
diff expected seen
