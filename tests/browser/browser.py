"""A buyer's browser: Debian's Chromium, driven by Selenium. What it sends, gets and complains of is written down."""

import base64
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from selenium import webdriver
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

# The width of a desktop's window, in CSS pixels.
DESKTOP = 1280


@dataclass
class Answer:
    """A page, a redirect or a picture that the browser was answered."""

    method: str
    url: str
    status: int
    headers: dict
    kind: str


class Browser:
    def __init__(self, other_site, language="en", scripts=True, environment=None):
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which(os.environ.get("CHROMIUM", "chromium"))
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
            "--force-color-profile=srgb",
            f"--lang={language}",
            # The logo's host is a server of this check, whose certificate nobody signed; the rest of the web is away.
            f"--host-resolver-rules=MAP cdn.example.com 127.0.0.1:{other_site.logo_port}, MAP * ~NOTFOUND, "
            "EXCLUDE localhost, EXCLUDE 127.0.0.1",
            "--ignore-certificate-errors",
        ]:
            options.add_argument(argument)
        scripts_setting = {} if scripts else {"profile.managed_default_content_settings.javascript": 2}
        options.add_experimental_option("prefs", {"intl.accept_languages": language} | scripts_setting)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        driver = shutil.which(os.environ.get("CHROMEDRIVER", "chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=Service(driver, env=environment))
        self.driver.set_page_load_timeout(30)
        self.requests = []
        self.answers = []
        self._pending = {}
        self.window(DESKTOP)

    # What is on the page.

    @property
    def url(self):
        return self.driver.current_url

    @property
    def path(self):
        return urlsplit(self.url).path

    @property
    def code(self):
        """The one-time code with which the browser arrived at the application."""
        return parse_qs(urlsplit(self.url).query).get("code", [""])[0]

    @property
    def title(self):
        return self.text("h1")

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.ask("return document.querySelector(arguments[0])?.innerText.trim() ?? ''", selector)

    def ask(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def control(self, command, **parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    def described(self, selector):
        """How an element is described to assistive technology: its properties by their names."""
        found = self.control("Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})")
        tree = self.control(
            "Accessibility.getPartialAXTree", objectId=found["result"]["objectId"], fetchRelatives=False
        )
        node = tree["nodes"][0]
        of_node = {name: node.get(name, {}).get("value", "") for name in ("role", "name", "description")}
        return of_node | {it["name"]: it["value"].get("value") for it in node.get("properties", [])}

    # What the buyer does.

    def open(self, url):
        self.driver.get(url)

    def fill(self, **fields):
        for name, value in fields.items():
            field = self.one(f"[name='{name.replace('answer_', 'answer-')}']")
            field.clear()
            field.send_keys(value)

    def press(self, selector):
        with self.next_page():
            self.one(selector).click()

    @contextmanager
    def next_page(self, seconds=20):
        """Waits until what is done brings another page."""
        before = self._document()
        yield
        self.until(lambda: self._document() != before, seconds)
        self.until(lambda: self.ask("return document.readyState") == "complete", seconds)

    def until(self, holds, seconds=20):
        # A page that goes away while it is asked is asked again.
        waiting = WebDriverWait(self.driver, seconds, poll_frequency=0.05, ignored_exceptions=[WebDriverException])
        waiting.until(lambda _: holds())

    def eventually(self, shown, wanted, seconds):
        """What is shown when it is what is wanted, or at the end of that time."""
        try:
            self.until(lambda: shown() == wanted, seconds)
        except TimeoutException:
            pass
        return shown()

    def _document(self):
        """Another for each page, be it at the same address."""
        return self.control("Page.getFrameTree")["frameTree"]["frame"]["loaderId"]

    # What the buyer's machine is like.

    def window(self, width, height=900, scale=1, mobile=False):
        self.control(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )

    def scheme(self, name):
        self.control("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def slow(self, milliseconds):
        self.control(
            "Network.emulateNetworkConditions",
            offline=False,
            latency=milliseconds,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )

    def forget(self):
        """Another buyer's browser: it has no cookie."""
        self.control("Network.clearBrowserCookies")

    def cookie(self):
        (cookie,) = self.control("Network.getAllCookies")["cookies"]
        return cookie

    def picture(self, whole=True):
        """The whole page as a PNG, or what of it is in sight."""
        # Where the pointer stays or what has the focus is no part of a picture.
        self.ask("document.activeElement?.blur()")
        taken = self.control("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(taken["data"])

    # What went over the wire.

    def listen(self):
        """Reads on in the browser's log of the wire."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            what, event = message["method"], message["params"]
            if what == "Network.requestWillBeSent":
                if "redirectResponse" in event:
                    self._answered(event["requestId"], event["redirectResponse"], event.get("type"))
                request = event["request"]
                self._pending[event["requestId"]] = request["method"]
                self.requests.append((request["method"], request["url"]))
            elif what == "Network.responseReceived":
                self._answered(event["requestId"], event["response"], event.get("type"))

    def _answered(self, request_id, response, kind):
        headers = {name.lower(): value for name, value in response["headers"].items()}
        method = self._pending.get(request_id, "GET")
        self.answers.append(Answer(method, response["url"], response["status"], headers, kind))

    @property
    def status(self):
        """The status of the newest page."""
        self.listen()
        return [answer.status for answer in self.answers if answer.kind == "Document"][-1]

    def complaints(self):
        """What the console says since the last time, but for pages that are answered with 4xx and 5xx on purpose."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        return [message for message in said if "the server responded with a status of" not in message]

    def close(self):
        self.driver.quit()
