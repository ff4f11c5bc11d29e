"""A PgBouncer for tests, from the package of the distribution, in front of the PostgreSQL of the tests."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.support.databases import postgresql_server, scratch_folder

BINARY = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

needs_pgbouncer = pytest.mark.skipif(
    BINARY is None, reason="pgbouncer is not installed (Debian: apt install pgbouncer)"
)

DEFAULTS = {"pool_mode": "transaction"}
IGNORING = {
    "pool_mode": "transaction",
    "ignore_startup_parameters": "extra_float_digits,default_transaction_read_only,statement_timeout,lock_timeout",
}
"""The settings of hosts whose clients send startup parameters. These then have no effect."""


class PgBouncer:
    """A PgBouncer with two connections to each database, so that its clients share them."""

    def __init__(self, *, tls_files: Path | None = None, **settings: str) -> None:
        folder, socket_folder = scratch_folder(), postgresql_server().directory
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = taken.getsockname()[1]
        users = folder / "users.txt"
        users.write_text('"postgres" ""\n')
        settings = {
            "listen_addr": "127.0.0.1", "listen_port": str(self.port), "unix_socket_dir": "", "auth_type": "any",
            "auth_file": str(users), "default_pool_size": "2", "max_client_conn": "500", **settings,
        }  # fmt: skip
        files = []
        if tls_files:
            for kind, name in (("cert", "localhost.crt"), ("key", "localhost.key")):
                files.append(Path(shutil.copy(tls_files / name, folder)))
                settings[f"client_tls_{kind}_file"] = str(files[-1])
        config = folder / "pgbouncer.ini"
        lines = [f"{name} = {value}" for name, value in settings.items()]
        config.write_text("\n".join([f"[databases]\n* = host={socket_folder} user=postgres\n[pgbouncer]", *lines]))
        owner = socket_folder.stat()
        for path in (folder, users, config, *files):
            os.chown(path, owner.st_uid, owner.st_gid)
        # PgBouncer refuses to run as root, and the socket is in a folder of the user of PostgreSQL.
        self.process = subprocess.Popen(
            [str(BINARY), str(config)],
            user=owner.st_uid,
            group=owner.st_gid,
            extra_groups=[],
            stderr=subprocess.DEVNULL,
        )
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, "PgBouncer did not start."
            time.sleep(0.02)

    def url(self, database_url: str) -> str:
        """Return the URL of a database of the PostgreSQL of the tests through this PgBouncer."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{make_url(database_url).database}"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
