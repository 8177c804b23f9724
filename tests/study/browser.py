"""A real browser without a window, over the WebDriver protocol, by the standard library."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


class Page:
    """A page that is open: run scripts in it, read its log and its requests."""

    def __init__(self, url):
        self._url = url

    def __call__(self, method, path, **body):
        data = json.dumps(body).encode() if method == "POST" else None
        request = urllib.request.Request(
            self._url + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def run(self, script, *arguments):
        return self("POST", "/execute/sync", script=script, args=list(arguments))

    def log(self, kind):
        return self("POST", "/se/log", type=kind)

    def requests(self):
        """List what the page asked for."""
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        sent = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [params["request"]["url"] for params in sent]


@contextmanager
def open_page(file, *, width=1280, height=900):
    """Open a file in Chromium, or skip, saying what is missing."""
    driver = shutil.which("chromedriver")
    binary = next((found for name in NAMES if (found := shutil.which(name))), None)
    if driver is None or binary is None:
        pytest.skip("Chromium and its driver are not installed (chromium, chromium-driver)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        session = _session(f"http://127.0.0.1:{port}", binary, width, height)
        page = Page(f"http://127.0.0.1:{port}/session/{session}")
        try:
            page("POST", "/url", url=file.resolve().as_uri())
            yield page
        finally:
            page("DELETE", "")
    finally:
        process.terminate()
        process.wait(timeout=20)


def _session(url, binary, width, height):
    options = {
        "binary": binary,
        "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--enable-unsafe-swiftshader",  # WebGL without a graphics card
            "--disable-background-networking", f"--window-size={width},{height}",
        ],
    }  # fmt: skip
    wanted = {
        "browserName": "chrome",
        "goog:chromeOptions": options,
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    }
    for _ in range(100):
        try:
            body = {"capabilities": {"alwaysMatch": wanted}}
            return Page(url)("POST", "/session", **body)["sessionId"]
        except urllib.error.HTTPError as error:
            pytest.fail(f"Chromium did not start: {error.read().decode()}")
        except OSError:  # the driver is not listening yet
            time.sleep(0.1)
    pytest.fail("chromedriver did not answer")
