"""The service with demo data, as `make run` starts it, and Chromium to look at it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import sync_playwright

MAIN = Path(__file__).parents[2] / "main.py"


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    others = {name: value for name, value in os.environ.items() if not name.startswith("ACCORD_")}
    run = {"cwd": folder, "env": others | {"ACCORD_PORT": port}, "stdout": subprocess.DEVNULL}
    for command in ("migrate", "seed"):
        subprocess.run([sys.executable, MAIN, command], check=True, **run)
    with subprocess.Popen([sys.executable, MAIN, "serve"], **run) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}/health/ready")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def chromium():
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("Chromium is not installed, so nobody has looked at the pages.")
    flags = ["--disable-background-networking", "--disable-component-update", "--disable-gpu"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=flags, chromium_sandbox=os.geteuid() != 0
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, address):
    """An empty page; the test fails if it asks another host for anything, or logs an error that is not an answer."""
    context = chromium.new_context(base_url=address)
    page = context.new_page()
    strangers, errors = [], []
    page.on("request", lambda request: strangers.append(request.url) if is_strange(request.url, address) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if is_error(message) else None)
    yield page
    context.close()
    assert strangers == []
    assert errors == []


def is_strange(url, address):
    return not url.startswith((f"{address}/", "data:", "blob:"))


def is_error(message):
    """Chromium logs every 4xx; what the service answers is for the test to say."""
    return message.type == "error" and not message.text.startswith("Failed to load resource: the server responded")


def wait_for(url, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(f"{url} has not answered within {seconds} seconds.")
