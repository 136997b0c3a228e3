"""The pictures of the README. They want the fonts of Debian's fonts-noto-cjk, and come out the same each time."""

import os
import tempfile

from browser import Browser
from flows import fill_in, open_registration
from readiness import example_pages

FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <cachedir>{cache}</cachedir>
  <match target="pattern">
    <edit name="family" mode="prepend" binding="strong"><string>Noto Sans CJK JP</string></edit>
  </match>
</fontconfig>
"""


def take_pictures(env, folder):
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as fonts:
        configuration = os.path.join(fonts, "fonts.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(FONTS.format(cache=fonts))
        environment = os.environ | {"FONTCONFIG_FILE": configuration}
        for language in ("en", "ja"):
            browser = Browser(env.other_site, language=language, environment=environment)
            try:
                take(env, browser, language, folder)
            finally:
                browser.close()


def take(env, browser, language, folder):
    def picture(name, whole=True):
        path = os.path.join(folder, f"{name}.png")
        with open(path, "wb") as file:
            file.write(browser.picture(whole))
        print(f"{path}: {os.path.getsize(path)} bytes")

    env.deliver(hold=True)
    open_registration(env, browser)
    if language == "ja":
        browser.window(390, height=700, mobile=True)
        picture("registration-japanese-mobile")
        return
    browser.window(720, height=300)
    picture("registration")
    browser.open(env.sandbox.url + "/register/status")
    picture("status")
    browser.scheme("dark")
    browser.open(env.sandbox.url + "/register")
    fill_in(browser)
    picture("registration-dark")
    browser.scheme("light")
    env.click_set_up(browser, "made-up")
    picture("problem")
    browser.window(1080, height=1000)
    with example_pages() as pages:
        browser.open(f"file://{pages}/verifying-en.html")
        picture("readiness", whole=False)
