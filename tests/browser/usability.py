"""How the registration page speaks to its readers: languages, errors, the keyboard alone, dark screens, no scripts."""

from flows import NEW, fill_in, open_registration
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys


def scripts_are_off(env, browser, tally):
    browser.open(env.other_site.page("Scripts", "<p id='script'>off</p><script>script.textContent = 'on'</script>"))
    tally.check("no script runs where there is to be none", browser.text("#script") == "off", browser.text("#script"))


def both_languages(env, english, japanese, tally):
    titles = {"en": "Set up your Harbor Analytics account", "ja": "Harbor Analytics のアカウント設定"}
    for language, browser in (("en", english), ("ja", japanese)):
        open_registration(env, browser)
        seen = (browser.ask("return document.documentElement.lang"), browser.title)
        tally.check(f"languages: {language} as the browser prefers", seen == (language, titles[language]), seen)
    other = japanese.one("header nav a")
    seen = (other.text, other.get_attribute("lang"))
    tally.check("languages: the other is offered in its own words", seen == ("English", "en"), seen)
    japanese.press("header nav a")
    tally.check("languages: the switch brings it", japanese.title == titles["en"], japanese.title)
    english.press("header nav a")
    english.press(NEW)
    title = english.driver.title
    tally.check("languages: it stays over a form with errors", title == f"エラー: {titles['ja']}", title)
    fill_in(english)
    english.press(NEW)
    language = env.redeem(english.code)[1]["contact"]["language"]
    tally.check("languages: the contact is written to in it", language == "ja", language)
    env.click_set_up(japanese, "made-up")
    seen = (japanese.title, japanese.text("details.other summary"))
    tally.check(
        "languages: a problem is shown in it, too", seen == ("登録リンクを確認できませんでした", "English"), seen
    )
    japanese.one("details.other summary").click()
    folded = japanese.text("details.other h2")
    tally.check("languages: with the other folded", folded == "This registration link does not work", folded)


def field_errors(env, browser, tally):
    purchase = open_registration(env, browser)
    browser.fill(email="kim", name="Kim Example")
    browser.press(NEW)
    title = browser.driver.title
    tally.check(
        "field errors: the page's title says so",
        (browser.status, title) == (400, "Error: Set up your Harbor Analytics account"),
        title,
    )
    focus = browser.ask("return document.activeElement.className")
    described = browser.described(".summary")
    tally.check(
        "field errors: they have the focus and are an alert",
        (focus, described["role"]) == ("summary", "alert"),
        (focus, described),
    )
    expected = [
        ("email", "Enter an email address like name@example.com."),
        ("answer-team_size", "Choose one of the answers for “How many people will use it?”."),
        ("answer-terms", "Please agree: I agree to the terms of service"),
    ]
    listed = [(link.get_attribute("href").split("#")[1], link.text) for link in browser.all(".summary a")]
    tally.check("field errors: they are all listed, in the order of the form", listed == expected, listed)
    for field, message in expected:
        node = browser.described(f"#{field}")
        holds = node.get("invalid") == "true" and f"Error: {message}" in node["description"]
        tally.check(f"field errors: {field} is announced as invalid, and why", holds, node)
        browser.one(f".summary a[href='#{field}']").click()
        focused = browser.driver.switch_to.active_element.get_attribute("id")
        tally.check(f"field errors: the list leads to {field}", focused == field, focused)
    kept = [browser.one(f"#{field}").get_attribute("value") for field in ("email", "name")]
    tally.check("field errors: what was typed is kept", kept == ["kim", "Kim Example"], kept)
    tally.check(
        "field errors: nothing is stored",
        env.contact(purchase) is None and not env.event_types(purchase).count("registration.completed"),
        "a contact",
    )
    fill_in(browser)
    browser.press(NEW)
    tally.check("field errors: once corrected, on it goes", env.redeem(browser.code)[0] == 200, browser.path)


# How the element with the focus is shown: what it is, the width of its outline, and whether it is in sight.
FOCUSED = """
const it = document.activeElement, style = getComputedStyle(it);
const drawn = style.outlineStyle === "solid" ? parseFloat(style.outlineWidth) : 0;
const box = it.getBoundingClientRect();
return [it.name || it.value || it.className || it.getAttribute("href"), it.value || "", drawn,
  box.top >= 0 && box.bottom <= innerHeight];
"""


def keyboard_only(env, browser, tally):
    purchase = open_registration(env, browser)

    def type_keys(*keys):
        ActionChains(browser.driver).send_keys(*keys).perform()

    reached = []
    for _ in range(12):
        type_keys(Keys.TAB)
        name, value, outline, in_sight = browser.ask(FOCUSED)
        reached.append(f"{name}:{value}" if name == "account" else name)
        tally.check(
            f"keyboard: {reached[-1]} shows that it has the focus", outline >= 2 and in_sight, (outline, in_sight)
        )
    expected = ["/register?lang=ja", "email", "name", "company"]
    expected += ["answer-order_number", "answer-team_size", "answer-terms"]
    expected += ["https://www.example.com/terms", "account:new", "account:existing", "/register/status?lang=en"]
    expected += ["mailto:support@example.com"]
    tally.check("keyboard: Tab goes through the page in its order", reached == expected, reached)
    browser.driver.refresh()
    type_keys(Keys.TAB * 2, "kim@example.com", Keys.TAB * 4, Keys.ARROW_DOWN, Keys.TAB, Keys.SPACE)
    # Back to the order number: Enter does nothing in a list or on a box.
    ActionChains(browser.driver).key_down(Keys.SHIFT).send_keys(Keys.TAB * 2).key_up(Keys.SHIFT).perform()
    with browser.next_page():
        type_keys(Keys.ENTER)
    tally.check("keyboard: Enter in a field goes to sign-up", browser.path == "/sign-up", browser.url)
    status, handoff = env.redeem(browser.code)
    seen = (status, handoff["license"], handoff["contact"]["answers"])
    expected = (200, purchase["license"], {"team_size": "1-10", "terms": "yes"})
    tally.check("keyboard: with what was typed", seen == expected, handoff)


def dark_scheme(env, browser, tally):
    open_registration(env, browser)
    grounds = {}
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        grounds[scheme] = browser.ask(
            "const ground = (it) => getComputedStyle(document.querySelector(it)).backgroundColor;"
            "return ['body', 'main', 'button'].map(ground);"
        )
    browser.scheme("light")
    expected = {
        "light": ["rgb(243, 245, 248)", "rgb(255, 255, 255)", "rgb(31, 78, 156)"],
        "dark": ["rgb(17, 21, 27)", "rgb(26, 32, 41)", "rgb(157, 193, 255)"],
    }
    tally.check("dark scheme: the page and the listing's colours follow it", grounds == expected, grounds)
