"""The paths of buyers through the registration page. Each takes the environment and a browser, and checks the result."""

from environment import DETAILS
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

# After how many seconds the status page asks again by itself, with time to spare.
RELOAD_SECONDS = 30

NEW, EXISTING = "button[value=new]", "button[value=existing]"


def fill_in(browser, **other):
    browser.fill(**(DETAILS | other))
    browser.one("[name=answer-team_size] option[value='11+']").click()
    if not browser.one("[name=answer-terms]").is_selected():
        browser.one("[name=answer-terms]").click()


def open_registration(env, browser, **order):
    """A buyer subscribes and comes to the registration page."""
    purchase = env.buy(**order)
    env.click_set_up(browser, purchase["token"])
    return purchase


def new_buyers(env, browsers, tally):
    """New buyers, with JavaScript and without, come to the status page while AWS's events are held back. Returns those who
    wait there when they are released."""
    env.deliver(hold=True)
    waiting = {name: (browser, new_buyer(env, browser, tally, name)) for name, browser in browsers.items()}
    env.deliver(release=True)
    return waiting


def new_buyer(env, browser, tally, name):
    def check(claim, holds, shown):
        tally.check(f"new buyer, {name}: {claim}", holds, shown)

    purchase = open_registration(env, browser)
    check(
        "AWS Marketplace's form leads to the page",
        browser.title == "Set up your Harbor Analytics account",
        browser.title,
    )
    check("its address has no token", browser.url == env.sandbox.url + "/register", browser.url)
    cookie = browser.cookie()
    flags = [cookie[flag] for flag in ("name", "httpOnly", "secure", "sameSite", "path")]
    check("the session is a cookie of this host alone", flags == ["__Host-stallkeeper", True, True, "Lax", "/"], flags)
    shown = browser.ask("return document.querySelector('header img').naturalWidth")
    check("the logo is shown", shown > 0, shown)
    fill_in(browser)
    browser.press(NEW)
    check(
        "the buyer arrives at sign-up",
        (browser.path, browser.title) == ("/sign-up", "Create your account"),
        browser.url,
    )
    status, handoff = env.redeem(browser.code)
    check("the code redeems", status == 200 and handoff["license"] == purchase["license"], handoff)
    contact = {name: handoff["contact"][name] for name in ("email", "name", "company", "answers", "language")}
    answers = {"order_number": "PO-7", "team_size": "11+", "terms": "yes"}
    expected = {"email": "kim@example.com", "name": "Kim Example", "company": "Example & Co", "answers": answers}
    check("and brings what was entered", contact == expected | {"language": "en"}, contact)
    types = env.event_types(purchase)
    check("one event is published", types == ["registration.completed"], types)
    check("and no site gets the referrer", env.other_site.referrers[-1] is None, env.other_site.referrers)
    browser.open(env.sandbox.url + "/register/status")
    check("the status page waits", browser.text(".state strong") == "Being activated", browser.text("main"))
    check("as the API does", env.license(purchase)["state"] == "pending", env.license(purchase))
    return purchase


def activation_arrives(env, waiting, tally):
    """The waiting status pages turn to active without any input."""
    for name, (browser, purchase) in waiting.items():

        def check(claim, holds, shown, name=name):
            tally.check(f"new buyer, {name}: {claim}", holds, shown)

        state = browser.eventually(lambda: browser.text(".state strong"), "Active", RELOAD_SECONDS)
        check("the status page turns to active by itself", state == "Active", state)
        browser.listen()
        reloads = [it.headers.get("refresh") for it in browser.answers if it.url.endswith("/register/status")]
        check("and then no more", reloads == ["20", None], reloads)
        types = env.event_types(purchase)
        check("the events are published", types[:2] == ["registration.completed", "license.activated"], types)
        browser.press(".go a")
        check("and leads to account setup", browser.path == "/register" and browser.all(NEW), browser.url)


def existing_account(env, browser, tally):
    purchase = open_registration(env, browser)
    fill_in(browser)
    browser.press(EXISTING)
    tally.check(
        "existing account: the buyer arrives at sign-in",
        (browser.path, browser.title) == ("/sign-in", "Sign in"),
        browser.url,
    )
    status, handoff = env.redeem(browser.code)
    seen = (status, handoff["entry_point"], handoff["linked"], handoff["license"])
    tally.check("existing account: the code says so", seen == (200, "sign_in", False, purchase["license"]), handoff)


def double_click(env, browser, tally):
    purchase = open_registration(env, browser)
    fill_in(browser)
    browser.listen()
    already = len(browser.requests)
    # So that the second click comes before the answer to the first, and not so soon that Chromium makes one of them.
    browser.slow(1000)
    with browser.next_page():
        ActionChains(browser.driver).click(browser.one(NEW)).pause(0.2).click().perform()
    browser.until(lambda: browser.path == "/sign-up")
    browser.slow(0)
    browser.listen()
    sent = [url for method, url in browser.requests[already:] if method == "POST"]
    tally.check("double click: the form is sent twice", len(sent) == 2, sent)
    tally.check(
        "double click: one registration is published",
        env.event_types(purchase).count("registration.completed") == 1,
        env.event_types(purchase),
    )
    status, handoff = env.redeem(browser.code)
    tally.check("double click: the browser's code is the one that counts", status == 200, (status, handoff))
    tally.check("double click: it brings the contact", handoff["contact"]["email"] == DETAILS["email"], handoff)


def back_button(env, browser, tally):
    purchase = open_registration(env, browser)
    fill_in(browser)
    browser.press(NEW)
    first, first_address = browser.code, browser.url
    with browser.next_page():
        browser.driver.back()
    tally.check("back button: the form is there again", browser.path == "/register" and browser.all(NEW), browser.url)
    with browser.next_page():
        browser.driver.forward()
    tally.check("back button: forward leads into the application", browser.url == first_address, browser.url)
    with browser.next_page():
        browser.driver.back()
    fill_in(browser, email="kim.corrected@example.com")
    browser.press(NEW)
    status, handoff = env.redeem(browser.code)
    seen = (status, handoff.get("contact", {}).get("email"))
    tally.check("back button: what was corrected counts", seen == (200, "kim.corrected@example.com"), handoff)
    tally.check("back button: the first code is no more", env.redeem(first)[0] == 410, first == browser.code)
    types = env.event_types(purchase).count("registration.completed")
    tally.check("back button: each contact is published once", types == 2, env.event_types(purchase))


def two_tabs(env, browser, tally):
    one = open_registration(env, browser)
    fill_in(browser)
    first_tab = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    second_tab = browser.driver.current_window_handle
    other = open_registration(env, browser, product="demo-contract", dimensions={"seats": 5})
    tally.check("two tabs: the second is about its own product", "Demo Contract" in browser.title, browser.title)
    browser.driver.switch_to.window(first_tab)
    browser.press(NEW)
    stale = (browser.status, browser.title)
    tally.check(
        "two tabs: the first tab's form is stale",
        stale == (409, "Another registration was opened in this browser"),
        stale,
    )
    kept = [env.contact(purchase) for purchase in (one, other)]
    tally.check("two tabs: nothing is written of either", kept == [None, None], [contact is None for contact in kept])
    types = [env.event_types(purchase).count("registration.completed") for purchase in (one, other)]
    tally.check("two tabs: nor published", types == [0, 0], types)
    browser.press(".go a")
    tally.check("two tabs: the page leads to the newer registration", "Demo Contract" in browser.title, browser.title)
    browser.driver.switch_to.window(second_tab)
    browser.fill(email="lee@example.com")
    browser.press(NEW)
    status, handoff = env.redeem(browser.code)
    seen = (status, handoff["license"], handoff["contact"]["email"])
    tally.check("two tabs: the second's form works", seen == (200, other["license"], "lee@example.com"), handoff)
    browser.driver.close()
    browser.driver.switch_to.window(first_tab)
    env.click_set_up(browser, one["token"])
    fill_in(browser)
    browser.press(NEW)
    seen = env.redeem(browser.code)[1]["license"]
    tally.check("two tabs: the first product is registered afterwards", seen == one["license"], seen)


def tokens_and_sessions(env, browser, tally):
    def shows(claim, status, title):
        seen = (browser.status, browser.title, browser.url)
        holds = seen[:2] == (status, title) and browser.path in ("/register", "/register/details")
        tally.check(f"{claim}: {title}", holds, seen)

    browser.forget()
    env.click_set_up(browser, "made-up")
    shows("invalid token", 400, "This registration link does not work")
    env.click_set_up(browser, None)
    shows("missing token", 400, "This page is opened from AWS Marketplace")
    browser.open(env.sandbox.url + "/register")
    shows("no session", 400, "Your session has ended, or has not started")
    link = browser.one(".go a").get_attribute("href")
    tally.check(
        "no session: it leads to AWS Marketplace", link.startswith("https://console.aws.amazon.com/marketplace/"), link
    )

    purchase = open_registration(env, browser)
    with browser.next_page():
        browser.driver.refresh()
    shows("reload", 200, "Set up your Harbor Analytics account")
    browser.listen()
    sent = [answer for answer in browser.answers if answer.method == "POST"]
    with browser.next_page():
        browser.driver.refresh()
    browser.listen()
    tally.check(
        "reload: no form is sent again", sent == [it for it in browser.answers if it.method == "POST"], browser.url
    )

    fill_in(browser)
    env.advance("5h")
    browser.press(NEW)
    shows("session of five hours ago", 400, "Your session has ended, or has not started")
    tally.check("session of five hours ago: nothing is kept", env.contact(purchase) is None, "a contact")
    env.click_set_up(browser, purchase["token"])
    shows("token of five hours ago", 410, "This registration link has expired")
    agreement = f"/sandbox/agreements/{purchase['agreement_id']}/token"
    fresh = env.sandbox.call("POST", agreement, {})["token"]
    env.tokens.append(fresh)
    env.click_set_up(browser, fresh)
    shows("token from another press", 200, "Set up your Harbor Analytics account")

    env.fault(service="metering", operation="ResolveCustomer", times=20, kind="throttle")
    throttled = env.buy()
    env.click_set_up(browser, throttled["token"])
    shows("throttled", 503, "AWS Marketplace does not answer right now")
    env.clear_faults()
    with browser.next_page():
        browser.driver.refresh()
    shows("throttled, reloaded as the page says", 200, "Set up your Harbor Analytics account")


def linked_license(env, browser, tally):
    purchase = open_registration(env, browser)
    fill_in(browser)
    browser.press(NEW)
    env.redeem(browser.code)
    env.link(purchase, "acme")
    kept = env.contact(purchase)
    browser.forget()
    env.click_set_up(browser, purchase["token"])
    tally.check("linked license: signing in is offered", browser.title == "Sign in to Harbor Analytics", browser.title)
    fields = browser.all("input:not([type=hidden]), select, textarea")
    buttons = [button.text for button in browser.all("button")]
    tally.check("linked license: and nothing else", (fields, buttons) == ([], ["Sign in"]), buttons)
    page = browser.driver.page_source
    known = [*DETAILS.values(), "acme", purchase["account_id"]]
    tally.check("linked license: no personal details are shown", not [it for it in known if it in page], "details")
    browser.press(EXISTING)
    status, handoff = env.redeem(browser.code)
    seen = (status, browser.path, handoff["entry_point"], handoff["linked"], handoff["contact"])
    tally.check("linked license: it leads to sign-in", seen == (200, "/sign-in", "sign_in", True, None), handoff)
    tally.check("linked license: the contact is untouched", env.contact(purchase) == kept and kept, "a change")
    tally.check("linked license: so is the tenant", env.license(purchase)["tenant"] == "acme", env.license(purchase))


def other_sites(env, browser, tally):
    """What another site can do to the page: neither show it in a frame nor send its form."""
    purchase = open_registration(env, browser)
    token = browser.one("[name=form_token]").get_attribute("value")
    fields = {"form_token": token, "email": "mallory@example.com", "account": "new"}
    browser.open(env.other_site.form(env.sandbox.url + "/register/details", fields))
    browser.press("button")
    seen = (browser.status, browser.title)
    tally.check("other sites: their form is refused", seen == (403, "This form was sent from another site"), seen)
    tally.check("other sites: and changes nothing", env.contact(purchase) is None, "a contact")
    browser.complaints()
    browser.open(env.other_site.page("Frame", f"<iframe src='{env.sandbox.url}/register'></iframe>"))
    browser.driver.switch_to.frame(browser.driver.find_element(By.TAG_NAME, "iframe"))
    shown = browser.text("h1")
    browser.driver.switch_to.default_content()
    said = browser.complaints()
    holds = shown != "Set up your Harbor Analytics account" and any("frame-ancestors 'none'" in it for it in said)
    tally.check("other sites: they cannot frame the page, and the console says why", holds, (shown, said))
