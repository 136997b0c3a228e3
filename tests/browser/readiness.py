"""The report of how ready a listing is, as its page: examples of every state, as files without a server."""

import base64
import os
import re
import subprocess
import tempfile
from contextlib import contextmanager

from browser import DESKTOP
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Every state once, in the language in which it is longer or stranger; one in both.
PAGES = ("verifying-en", "verifying-ja", "nothing-ja", "failing-en", "in-review-ja", "public-en", "hostile-en")

# Where the answer of the first leads.
NEXT_STEP = "step-test-integration_verified"

# What of the checks is not to be seen.
UNSEEN = """
return [...document.querySelectorAll(".check h4, .check .outcome, .check .what p")]
  .filter((it) => !it.checkVisibility() || it.getBoundingClientRect().height < 5)
  .map((it) => it.textContent);
"""


@contextmanager
def example_pages():
    """A folder with the pages."""
    with tempfile.TemporaryDirectory() as folder:
        # Of the whole workspace, so that it shares the build of the tests.
        build = ["cargo", "build", "--quiet", "--workspace", "--example", "report"]
        subprocess.run(build, cwd=ROOT, check=True)
        target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
        program = os.path.join(target, "debug", "examples", "report")
        subprocess.run([program, folder], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        yield folder


def check_pages(browser, quality, tally):
    with example_pages() as folder:
        for page in PAGES:
            browser.open(f"file://{folder}/{page}.html")
            browser.listen()
            browser.requests.clear()
            quality.judge(browser, f"readiness, {page}")
            printed(browser, page, tally)
            loads_nothing(browser, page, tally)
        browser.open(f"file://{folder}/verifying-en.html")
        by_keyboard(browser, tally)


def loads_nothing(browser, page, tally):
    browser.driver.refresh()
    browser.listen()
    loaded = {url.split("/")[-1] for _, url in browser.requests}
    said = browser.complaints()
    holds = loaded == {f"{page}.html"} and not said
    tally.check(f"readiness, {page}: it loads nothing, and the browser complains of nothing", holds, (loaded, said))


def printed(browser, page, tally):
    """On paper everything is unfolded, in light colours, and fits."""
    browser.driver.refresh()
    folded = browser.ask(UNSEEN)
    browser.control(
        "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    unseen = browser.ask(UNSEEN)
    checks = browser.ask("return document.querySelectorAll('.check').length")
    ground = browser.ask("return getComputedStyle(document.querySelector('.card')).backgroundColor")
    taken = browser.control("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
    browser.control("Emulation.setEmulatedMedia", media="", features=[])
    pdf = base64.b64decode(taken["data"])
    sheets = len(re.findall(rb"/Type\s*/Page\b", pdf))
    holds = folded and not unseen and checks > 40 and 3 <= sheets <= 15 and ground == "rgb(255, 255, 255)"
    tally.check(f"readiness, {page}: every check is printed", holds, (checks, unseen, sheets, ground, len(folded)))


def by_keyboard(browser, tally):
    """From the answer to the check that is next, and into what is folded."""
    browser.window(DESKTOP)

    def type_keys(*keys):
        ActionChains(browser.driver).send_keys(*keys).perform()

    type_keys(Keys.TAB, Keys.ENTER)
    reached = browser.ask("return document.querySelector(':target').id")
    tally.check("readiness, keyboard: the first link leads to the next step", reached == NEXT_STEP, reached)
    opened = browser.ask("const it = document.querySelector('summary'); it.focus(); return it.parentNode.open")
    type_keys(Keys.ENTER)
    seen = (opened, browser.ask("return document.activeElement.parentNode.open"))
    tally.check("readiness, keyboard: what is folded opens", seen == (False, True), seen)
