#!/usr/bin/env bash
# standardwebhooks signs the wall clock of a time zone as if it were UTC.
#
# Expected: sign() takes a datetime, and two datetimes that are the same moment give the same signature.
# Seen:     13:00+02:00 and 11:00Z are equal, and signed differently: the signature of the first one is that of
#           13:00Z. A receiver takes the moment from the header webhook-timestamp, and finds no matching signature.
# Matters:  every delivery of a sender that passes aware datetimes of a local zone is refused, with a message that
#           points to the secret. Tests with datetimes in UTC do not show it.
# Versions: standardwebhooks 1.1.0, Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
the same moment: True
the same signature: False
signed as 13:00Z: True
verify: No matching signature found
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check standardwebhooks==1.1.0
venv/bin/python - >seen <<'PYTHON'
from base64 import b64encode
from datetime import datetime, timedelta, timezone

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(b64encode(b"a secret for this example").decode())
local = datetime(2026, 11, 30, 13, 0, tzinfo=timezone(timedelta(hours=2)))
utc = local.astimezone(timezone.utc)
print("the same moment:", local == utc)
print("the same signature:", webhook.sign("msg_1", local, "{}") == webhook.sign("msg_1", utc, "{}"))
print("signed as 13:00Z:", webhook.sign("msg_1", local, "{}") == webhook.sign("msg_1", utc.replace(hour=13), "{}"))

now = datetime.now(timezone(timedelta(hours=2)))
headers = {
    "webhook-id": "msg_1",
    "webhook-timestamp": str(int(now.timestamp())),
    "webhook-signature": webhook.sign("msg_1", now, "{}"),
}
try:
    webhook.verify("{}", headers)
    print("verify: accepted")
except WebhookVerificationError as error:
    print("verify:", error)
PYTHON

cat seen
diff expected seen
