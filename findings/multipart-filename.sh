#!/usr/bin/env bash
# Starlette and Werkzeug read different file names, and even different kinds of parts, out of the same upload.
#
# Expected: a part with a file name is a file, and its name is the one that the client gave.
# Seen:     httpx, browsers and Node write a quotation mark in a name as %22 (WHATWG). Werkzeug reads it back, Starlette
#           (python-multipart) leaves %22. A part that has only filename* is a file with the right name to Werkzeug, and
#           an ordinary text field to Starlette: its handler gets a str in place of an UploadFile.
# Matters:  the name is stored and shown to people. A move from Flask to Starlette or FastAPI changes names, and makes
#           uploads of clients that send filename*, which RFC 7578 advises against, not be uploads any more.
# Versions: starlette 1.10.0, python-multipart 0.0.34, flask 3.1.3, werkzeug 3.1.9, httpx 0.28.1, Python 3.11.7;
#           2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
httpx sends:     form-data; name="file"; filename="a%22b.txt"
  starlette:     file 'a%22b.txt'
  werkzeug:      file 'a"b.txt'
filename* alone: form-data; name="file"; filename*=UTF-8''na%C3%AFve.txt
  starlette:     text 'hello'
  werkzeug:      file 'na\xefve.txt'
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check starlette==1.10.0 python-multipart==0.0.34 flask==3.1.3 \
    werkzeug==3.1.9 httpx==0.28.1 httpx2==2.16.2
venv/bin/python - >seen <<'PYTHON'
import flask
import httpx
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient


async def to_starlette(request):
    value = (await request.form())["file"]
    return PlainTextResponse(f"text {value!a}" if isinstance(value, str) else f"file {value.filename!a}")


to_flask = flask.Flask("upload")


@to_flask.post("/")
def upload():
    if file := flask.request.files.get("file"):
        return f"file {file.filename!a}"
    return f"text {flask.request.form['file']!a}"


starlette = TestClient(Starlette(routes=[Route("/", to_starlette, methods=["POST"])]))
werkzeug = to_flask.test_client()

sent = httpx.Request("POST", "http://example.org/", files={"file": ('a"b.txt', b"hello")})
by_hand = (
    b"--limit\r\nContent-Disposition: form-data; name=\"file\"; filename*=UTF-8''na%C3%AFve.txt\r\n"
    b"Content-Type: text/plain\r\n\r\nhello\r\n--limit--\r\n"
)
for name, body, media_type in (
    ("httpx sends:", sent.read(), sent.headers["content-type"]),
    ("filename* alone:", by_hand, "multipart/form-data; boundary=limit"),
):
    print(f"{name:16} {body.split(b'Content-Disposition: ')[1].splitlines()[0].decode()}")
    print("  starlette:    ", starlette.post("/", content=body, headers={"Content-Type": media_type}).text)
    print("  werkzeug:     ", werkzeug.post("/", data=body, content_type=media_type).text)
PYTHON

cat seen
diff expected seen
