"""The registration page and the report of readiness in Chromium: python tests/browser/check_pages.py (needs selenium,
Chromium with its driver, and axe-core, whose file is named by AXE). With --screenshots DIR it takes the pictures of the
README instead."""

import argparse
from contextlib import ExitStack

import flows
import readiness
import usability
from browser import Browser
from environment import Tally, running_environment
from every_page import every_page
from page_quality import PageQuality
from pictures import take_pictures
from wire import headers_are_secure, nothing_secret_in_addresses


def check(env, stack, tally):
    def browser(**of):
        opened = Browser(env.other_site, **of)
        stack.callback(opened.close)
        return opened

    quality = PageQuality(tally)
    english, japanese = browser(), browser(language="ja")
    first, plain = browser(), browser(scripts=False)
    browsers = {"English": english, "Japanese": japanese, "of the first buyer": first, "without JavaScript": plain}
    print(f"Chromium {english.driver.capabilities['browserVersion']}")

    usability.scripts_are_off(env, plain, tally)
    waiting = flows.new_buyers(env, {"with JavaScript": first, "without JavaScript": plain}, tally)
    for flow in (
        flows.existing_account,
        flows.double_click,
        flows.back_button,
        flows.two_tabs,
        flows.linked_license,
        usability.field_errors,
        usability.keyboard_only,
        usability.dark_scheme,
    ):
        flow(env, english, tally)
    usability.both_languages(env, english, japanese, tally)
    flows.activation_arrives(env, waiting, tally)
    # It moves the clock, which ends every visit.
    flows.tokens_and_sessions(env, english, tally)
    for of_language in (english, japanese):
        for page in every_page(env, of_language):
            quality.judge(of_language, page)
    readiness.check_pages(english, quality, tally)

    for name, of_buyer in browsers.items():
        said = of_buyer.complaints()
        tally.check(f"the console of the browser, {name}, has no complaint", not said, said)
    # It ends in a complaint that is wanted.
    flows.other_sites(env, english, tally)
    for of_buyer in browsers.values():
        of_buyer.listen()
    headers_are_secure(env, browsers, tally)
    nothing_secret_in_addresses(env, browsers, tally)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--screenshots", metavar="DIR")
    folder = parser.parse_args().screenshots
    tally = Tally()
    with running_environment() as env, ExitStack() as stack:
        if folder:
            take_pictures(env, folder)
        else:
            check(env, stack, tally)
    if not folder:
        tally.close()


if __name__ == "__main__":
    main()
