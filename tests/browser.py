"""A real headless Chromium for tests of HTML pages; tests that need it skip where it is absent."""

import base64
import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from needs import reason

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


class Browser:
    """One browser on one page at a time."""

    def __init__(self, driver) -> None:
        self.driver = driver

    def open(self, page: Path, *, fragment: str = "") -> None:
        """Load a local file afresh and wait until every chart is drawn."""
        self.driver.get("about:blank")
        self.log()
        self.requests()
        self.driver.get(page.resolve().as_uri() + fragment)
        self.wait("return document.documentElement.dataset.waiting === '0'")

    def js(self, script: str, *arguments: object):
        """Run JavaScript in the page; ``return`` hands a value back."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: str, seconds: float = 40.0) -> None:
        """Wait until the script returns something true; TimeoutException when it never does."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, seconds, poll_frequency=0.05).until(lambda d: self.js(condition))

    def click(self, selector: str) -> None:
        """Click the first element that matches."""
        self.js("document.querySelector(arguments[0]).click()", selector)

    def size(self, width: int, height: int) -> None:
        """Set the page's viewport in CSS pixels."""
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def prefer(self, scheme: str) -> None:
        """Emulate a system set to ``light`` or ``dark``."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.cdp("Emulation.setEmulatedMedia", {"features": [feature]})

    def cdp(self, command: str, parameters: dict[str, object]):
        """Send a command of the Chrome DevTools protocol."""
        return self.driver.execute_cdp_cmd(command, parameters)

    def log(self) -> list[str]:
        """Warnings and errors of the console since the last call."""
        rows = self.driver.get_log("browser")
        return [row["message"] for row in rows if row["level"] in ("SEVERE", "WARNING")]

    def requests(self) -> list[str]:
        """Addresses that were asked for since the last call, local files and data left out."""
        found = []
        for row in self.driver.get_log("performance"):
            message = json.loads(row["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return [url for url in found if not url.startswith(("file:", "data:", "blob:", "about:"))]

    def screenshot(self, path: Path, selector: str = "", *, whole: bool = False) -> None:
        """Save what is in view, an element, or the whole page as PNG."""
        clip = None
        if selector or whole:
            clip = self.js(
                "const r = document.querySelector(arguments[0]).getBoundingClientRect();"
                "return {x: 0, y: Math.max(r.top + scrollY, 0), width: innerWidth,"
                " height: r.height, scale: 1}",
                selector or "html",
            )
        asked = {"format": "png", "captureBeyondViewport": bool(clip)}
        png = self.cdp("Page.captureScreenshot", asked | ({"clip": clip} if clip else {}))
        path.write_bytes(base64.b64decode(png["data"]))

    def pdf(self, path: Path) -> None:
        """Print the page."""
        asked = {"preferCSSPageSize": True, "printBackground": True}
        path.write_bytes(base64.b64decode(self.cdp("Page.printToPDF", asked)["data"]))


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser with a fresh profile; skips the test where there is none."""
    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.skip(reason("a browser", f"{CHROMIUM} and {DRIVER}: apt install chromium-driver"))
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
        try:
            yield Browser(driver)
        finally:
            driver.quit()
