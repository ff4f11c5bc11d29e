#!/usr/bin/env bash
# PyJWT's PyJWKClient does not look for a new signing key within 30 seconds after any fetch, the first one included.
#
# Expected: a token with an unknown key id makes the client fetch the key set again, which is what key ids are for.
# Seen:     the client has fetched once, a moment ago. The issuer publishes another key. A token of that key is refused,
#           "Unable to find a signing key", and nothing is fetched. With cooldown_duration=0 it is fetched and found.
# Matters:  each process that starts, or refreshes, shortly before a rotation answers 401 to valid tokens for half a
#           minute. An issuer has to publish a key at least that long before it signs with it.
# Versions: PyJWT 2.15.1, cryptography 50.0.2, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
default: first key found, 1 fetch; second key: Unable to find a signing key that matches: "second", 1 fetch
cooldown_duration=0: first key found, 1 fetch; second key: found, 2 fetches
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check pyjwt==2.15.1 cryptography==50.0.2
venv/bin/python - >seen <<'PYTHON'
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

private = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("first", "second")}
published, fetches = [], 0


class Issuer(BaseHTTPRequestHandler):
    def do_GET(self):
        global fetches
        fetches += 1
        keys = [json.loads(ECAlgorithm.to_jwk(private[name].public_key())) | {"kid": name, "use": "sig"} for name in published]
        body = json.dumps({"keys": keys}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def look_up(client, name):
    token = jwt.encode({"sub": "customer"}, private[name], "ES256", headers={"kid": name})
    try:
        client.get_signing_key_from_jwt(token)
        found = "found"
    except jwt.PyJWKClientError as error:
        found = str(error)
    return f"{found}, {fetches} fetch{'es' if fetches > 1 else ''}"


server = HTTPServer(("127.0.0.1", 0), Issuer)
threading.Thread(target=server.serve_forever, daemon=True).start()
for name, options in (("default", {}), ("cooldown_duration=0", {"cooldown_duration": 0})):
    published[:], fetches = ["first"], 0
    client = jwt.PyJWKClient(f"http://127.0.0.1:{server.server_port}/", **options)
    first = look_up(client, "first")
    published.append("second")
    print(f"{name}: first key {first}; second key: {look_up(client, 'second')}")
PYTHON

cat seen
diff expected seen
