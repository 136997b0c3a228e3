"""What holds for every page, however it is looked at: axe finds nothing, and it fits small screens and large text."""

import os

from browser import DESKTOP

# Where axe-core is, as npm puts it.
AXE = os.environ.get("AXE", os.path.join("node_modules", "axe-core", "axe.min.js"))

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]

RUN_AXE = """
const [standards, done] = arguments;
axe.run(document, {
  runOnly: {type: "tag", values: standards},
  rules: {"target-size": {enabled: true}},
  resultTypes: ["violations"],
}).then((found) => done({
  ran: found.passes.length,
  violations: found.violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.html).join(" ")}`),
}), (error) => done({ran: 0, violations: [String(error)]}));
"""

# Everything that a finger aims at and that is smaller than 24 by 24 pixels (WCAG 2.2, success criterion 2.5.8).
SMALL_TARGETS = """
return [...document.querySelectorAll("a, button, input:not([type=hidden]), select, summary")]
  .filter((it) => it.checkVisibility())
  .map((it) => [it.outerHTML.slice(0, 80), it.getBoundingClientRect()])
  .filter(([_, box]) => box.width < 24 || box.height < 24)
  .map(([name, box]) => `${name} ${box.width} x ${box.height}`);
"""

# What sticks out of a screen of that width (which widens a phone's innerWidth), or is cut off in its own box.
CUT_OFF = """
const cut = [...document.querySelectorAll("h1, h2, p, a, button, label, li, summary")]
  .filter((it) => it.checkVisibility() && it.scrollWidth > it.clientWidth + 1 && it.clientWidth > 0)
  .map((it) => it.outerHTML.slice(0, 80));
const width = document.documentElement.scrollWidth;
if (width > arguments[0]) cut.push(`the page: ${width} pixels`);
return cut;
"""

# Text at 200 % (1.4.4), with the space between letters and words of 1.4.12.
LARGE_TEXT = """
const style = document.documentElement.style;
style.fontSize = arguments[0] ? "200%" : "";
style.letterSpacing = arguments[0] ? "0.12em" : "";
style.wordSpacing = arguments[0] ? "0.16em" : "";
"""


def axe_source():
    try:
        with open(AXE, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        raise SystemExit(f"axe-core is not at {AXE}: npm install axe-core, or name its file by AXE") from None


class PageQuality:
    def __init__(self, tally):
        self.tally = tally
        self.axe = axe_source()

    def judge(self, browser, page):
        """Checks the page that the browser shows."""
        wrong = []
        browser.ask(self.axe)
        # What is folded away is looked at as well.
        browser.ask("for (const folded of document.querySelectorAll('details')) folded.open = true")
        for scheme in ("light", "dark"):
            browser.scheme(scheme)
            found = browser.driver.execute_async_script(RUN_AXE, STANDARDS)
            wrong += [f"{scheme}: {violation}" for violation in found["violations"]]
            if not found["ran"]:
                wrong.append(f"{scheme}: axe looked at nothing")
        browser.scheme("light")
        for width in (320, 390):
            browser.window(width, mobile=True)
            wrong += [f"{width} px: {it}" for it in browser.ask(CUT_OFF, width) + browser.ask(SMALL_TARGETS)]
        # 200 % on a desktop's screen, by zoom and by the size of the text alone.
        browser.window(DESKTOP // 2, scale=2)
        wrong += [f"zoomed: {it}" for it in browser.ask(CUT_OFF, DESKTOP // 2)]
        browser.ask(LARGE_TEXT, True)
        for width in (DESKTOP, 320):
            browser.window(width)
            wrong += [f"large text at {width} px: {it}" for it in browser.ask(CUT_OFF, width)]
        browser.ask(LARGE_TEXT, False)
        browser.window(DESKTOP)
        if browser.ask("return document.getAnimations().length"):
            wrong.append("something moves")
        language = browser.ask("return document.documentElement.lang")
        self.tally.check(f"{page} ({language}) is accessible and fits", not wrong, wrong)
