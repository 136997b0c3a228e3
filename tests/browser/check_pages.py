"""The registration page and the report of readiness in Chromium: python tests/browser/check_pages.py (needs selenium,
Chromium with its driver, and axe-core, whose file is named by AXE). With --screenshots DIR it takes the pictures of the
README instead."""

import argparse
from contextlib import ExitStack

import reading
import readiness
import walks
from browser import Browser
from every_page import every_page
from page_quality import PageQuality
from pictures import take_pictures
from wire import headers_are_secure, nothing_secret_in_addresses
from world import Tally, running_world


def check(world, stack, tally):
    def browser(**of):
        opened = Browser(world.elsewhere, **of)
        stack.callback(opened.close)
        return opened

    quality = PageQuality(tally)
    english, japanese = browser(), browser(language="ja")
    first, plain = browser(), browser(scripts=False)
    browsers = {"English": english, "Japanese": japanese, "of the first buyer": first, "without JavaScript": plain}
    print(f"Chromium {english.driver.capabilities['browserVersion']}")

    reading.scripts_are_off(world, plain, tally)
    waiting = walks.new_buyers(world, {"with JavaScript": first, "without JavaScript": plain}, tally)
    for walk in (
        walks.existing_account,
        walks.double_click,
        walks.back_button,
        walks.two_tabs,
        walks.linked_license,
        reading.field_errors,
        reading.keyboard_only,
        reading.dark_scheme,
    ):
        walk(world, english, tally)
    reading.both_languages(world, english, japanese, tally)
    walks.news_arrives(world, waiting, tally)
    # It moves the clock, which ends every visit.
    walks.tokens_and_sessions(world, english, tally)
    for of_language in (english, japanese):
        for page in every_page(world, of_language):
            quality.judge(of_language, page)
    readiness.check_pages(english, quality, tally)

    for name, of_buyer in browsers.items():
        said = of_buyer.complaints()
        tally.check(f"the console of the browser, {name}, has no complaint", not said, said)
    # It ends in a complaint that is wanted.
    walks.other_sites(world, english, tally)
    for of_buyer in browsers.values():
        of_buyer.listen()
    headers_are_secure(world, browsers, tally)
    nothing_secret_in_addresses(world, browsers, tally)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--screenshots", metavar="DIR")
    folder = parser.parse_args().screenshots
    tally = Tally()
    with running_world() as world, ExitStack() as stack:
        if folder:
            take_pictures(world, folder)
        else:
            check(world, stack, tally)
    if not folder:
        tally.close()


if __name__ == "__main__":
    main()
