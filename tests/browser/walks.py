"""A buyer's walks through the registration page. Each takes the world and a browser, and says what must be seen."""

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from world import DETAILS

# After how many seconds the status page asks again by itself, with time to spare.
RELOAD_SECONDS = 30

NEW, EXISTING = "button[value=new]", "button[value=existing]"


def fill_in(browser, **other):
    browser.fill(**(DETAILS | other))
    browser.one("[name=answer-team_size] option[value='11+']").click()
    if not browser.one("[name=answer-terms]").is_selected():
        browser.one("[name=answer-terms]").click()


def arrive(world, browser, **order):
    """A buyer subscribes and comes to the registration page."""
    purchase = world.buy(**order)
    world.press_set_up(browser, purchase["token"])
    return purchase


def new_buyers(world, browsers, tally):
    """New buyers, with JavaScript and without, come to the status page while AWS's news is held back. Answers those who
    wait there when it is released."""
    world.deliver(hold=True)
    waiting = {name: (browser, new_buyer(world, browser, tally, name)) for name, browser in browsers.items()}
    world.deliver(release=True)
    return waiting


def new_buyer(world, browser, tally, name):
    def check(claim, holds, shown):
        tally.check(f"new buyer, {name}: {claim}", holds, shown)

    purchase = arrive(world, browser)
    check(
        "AWS Marketplace's form leads to the page",
        browser.title == "Set up your Harbor Analytics account",
        browser.title,
    )
    check("its address has no token", browser.url == world.sandbox.url + "/register", browser.url)
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
    status, handoff = world.redeem(browser.code)
    check("the code redeems", status == 200 and handoff["license"] == purchase["license"], handoff)
    contact = {name: handoff["contact"][name] for name in ("email", "name", "company", "answers", "language")}
    answers = {"order_number": "PO-7", "team_size": "11+", "terms": "yes"}
    expected = {"email": "kim@example.com", "name": "Kim Example", "company": "Example & Co", "answers": answers}
    check("and brings what was entered", contact == expected | {"language": "en"}, contact)
    told = world.told(purchase)
    check("the application is told once", told == ["registration.completed"], told)
    check("and nobody where the buyer came from", world.elsewhere.referrers[-1] is None, world.elsewhere.referrers)
    browser.open(world.sandbox.url + "/register/status")
    check("the status page waits", browser.text(".state strong") == "Being activated", browser.text("main"))
    check("as the API does", world.license(purchase)["state"] == "pending", world.license(purchase))
    return purchase


def news_arrives(world, waiting, tally):
    """The status pages that wait turn to active, and nobody has touched them."""
    for name, (browser, purchase) in waiting.items():

        def check(claim, holds, shown, name=name):
            tally.check(f"new buyer, {name}: {claim}", holds, shown)

        state = browser.eventually(lambda: browser.text(".state strong"), "Active", RELOAD_SECONDS)
        check("the status page turns to active by itself", state == "Active", state)
        browser.listen()
        reloads = [it.headers.get("refresh") for it in browser.answers if it.url.endswith("/register/status")]
        check("and then no more", reloads == ["20", None], reloads)
        told = world.told(purchase)
        check("the application is told", told[:2] == ["registration.completed", "license.activated"], told)
        browser.press(".go a")
        check("and leads to account setup", browser.path == "/register" and browser.all(NEW), browser.url)


def existing_account(world, browser, tally):
    purchase = arrive(world, browser)
    fill_in(browser)
    browser.press(EXISTING)
    tally.check(
        "existing account: the buyer arrives at sign-in",
        (browser.path, browser.title) == ("/sign-in", "Sign in"),
        browser.url,
    )
    status, handoff = world.redeem(browser.code)
    seen = (status, handoff["entry_point"], handoff["linked"], handoff["license"])
    tally.check("existing account: the code says so", seen == (200, "sign_in", False, purchase["license"]), handoff)


def double_click(world, browser, tally):
    purchase = arrive(world, browser)
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
        "double click: one registration is told",
        world.told(purchase).count("registration.completed") == 1,
        world.told(purchase),
    )
    status, handoff = world.redeem(browser.code)
    tally.check("double click: the browser's code is the one that counts", status == 200, (status, handoff))
    tally.check("double click: it brings the contact", handoff["contact"]["email"] == DETAILS["email"], handoff)


def back_button(world, browser, tally):
    purchase = arrive(world, browser)
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
    status, handoff = world.redeem(browser.code)
    seen = (status, handoff.get("contact", {}).get("email"))
    tally.check("back button: what was corrected counts", seen == (200, "kim.corrected@example.com"), handoff)
    tally.check("back button: the first code is no more", world.redeem(first)[0] == 410, first == browser.code)
    told = world.told(purchase).count("registration.completed")
    tally.check("back button: each contact is told once", told == 2, world.told(purchase))


def two_tabs(world, browser, tally):
    one = arrive(world, browser)
    fill_in(browser)
    first_tab = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    second_tab = browser.driver.current_window_handle
    other = arrive(world, browser, product="demo-contract", dimensions={"seats": 5})
    tally.check("two tabs: the second is about its own product", "Demo Contract" in browser.title, browser.title)
    browser.driver.switch_to.window(first_tab)
    browser.press(NEW)
    stale = (browser.status, browser.title)
    tally.check(
        "two tabs: the first tab's form is stale",
        stale == (409, "Another registration was opened in this browser"),
        stale,
    )
    kept = [world.contact(purchase) for purchase in (one, other)]
    tally.check("two tabs: nothing is written of either", kept == [None, None], [contact is None for contact in kept])
    told = [world.told(purchase).count("registration.completed") for purchase in (one, other)]
    tally.check("two tabs: nor told", told == [0, 0], told)
    browser.press(".go a")
    tally.check("two tabs: the page leads to the newer registration", "Demo Contract" in browser.title, browser.title)
    browser.driver.switch_to.window(second_tab)
    browser.fill(email="lee@example.com")
    browser.press(NEW)
    status, handoff = world.redeem(browser.code)
    seen = (status, handoff["license"], handoff["contact"]["email"])
    tally.check("two tabs: the second's form works", seen == (200, other["license"], "lee@example.com"), handoff)
    browser.driver.close()
    browser.driver.switch_to.window(first_tab)
    world.press_set_up(browser, one["token"])
    fill_in(browser)
    browser.press(NEW)
    seen = world.redeem(browser.code)[1]["license"]
    tally.check("two tabs: the first product is registered afterwards", seen == one["license"], seen)


def tokens_and_sessions(world, browser, tally):
    def shows(claim, status, title):
        seen = (browser.status, browser.title, browser.url)
        holds = seen[:2] == (status, title) and browser.path in ("/register", "/register/details")
        tally.check(f"{claim}: {title}", holds, seen)

    browser.forget()
    world.press_set_up(browser, "made-up")
    shows("made-up token", 400, "This registration link does not work")
    world.press_set_up(browser, None)
    shows("missing token", 400, "This page is opened from AWS Marketplace")
    browser.open(world.sandbox.url + "/register")
    shows("no session", 400, "Your session has ended, or has not started")
    link = browser.one(".go a").get_attribute("href")
    tally.check(
        "no session: it leads to AWS Marketplace", link.startswith("https://console.aws.amazon.com/marketplace/"), link
    )

    purchase = arrive(world, browser)
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
    world.advance("5h")
    browser.press(NEW)
    shows("session of five hours ago", 400, "Your session has ended, or has not started")
    tally.check("session of five hours ago: nothing is kept", world.contact(purchase) is None, "a contact")
    world.press_set_up(browser, purchase["token"])
    shows("token of five hours ago", 410, "This registration link has expired")
    agreement = f"/sandbox/agreements/{purchase['agreement_id']}/token"
    fresh = world.sandbox.call("POST", agreement, {})["token"]
    world.tokens.append(fresh)
    world.press_set_up(browser, fresh)
    shows("token from another press", 200, "Set up your Harbor Analytics account")

    world.fault(service="metering", operation="ResolveCustomer", times=20, kind="throttle")
    throttled = world.buy()
    world.press_set_up(browser, throttled["token"])
    shows("throttled", 503, "AWS Marketplace does not answer right now")
    world.mend()
    with browser.next_page():
        browser.driver.refresh()
    shows("throttled, reloaded as the page says", 200, "Set up your Harbor Analytics account")


def linked_license(world, browser, tally):
    purchase = arrive(world, browser)
    fill_in(browser)
    browser.press(NEW)
    world.redeem(browser.code)
    world.link(purchase, "acme")
    kept = world.contact(purchase)
    browser.forget()
    world.press_set_up(browser, purchase["token"])
    tally.check("linked license: signing in is offered", browser.title == "Sign in to Harbor Analytics", browser.title)
    fields = browser.all("input:not([type=hidden]), select, textarea")
    buttons = [button.text for button in browser.all("button")]
    tally.check("linked license: and nothing else", (fields, buttons) == ([], ["Sign in"]), buttons)
    page = browser.driver.page_source
    known = [*DETAILS.values(), "acme", purchase["account_id"]]
    tally.check("linked license: nobody's details are shown", not [it for it in known if it in page], "details")
    browser.press(EXISTING)
    status, handoff = world.redeem(browser.code)
    seen = (status, browser.path, handoff["entry_point"], handoff["linked"], handoff["contact"])
    tally.check("linked license: it leads to sign-in", seen == (200, "/sign-in", "sign_in", True, None), handoff)
    tally.check("linked license: the contact is untouched", world.contact(purchase) == kept and kept, "a change")
    tally.check(
        "linked license: so is the tenant", world.license(purchase)["tenant"] == "acme", world.license(purchase)
    )


def other_sites(world, browser, tally):
    """What another site can do to the page: neither show it in a frame nor send its form."""
    purchase = arrive(world, browser)
    token = browser.one("[name=form_token]").get_attribute("value")
    fields = {"form_token": token, "email": "mallory@example.com", "account": "new"}
    browser.open(world.elsewhere.form(world.sandbox.url + "/register/details", fields))
    browser.press("button")
    seen = (browser.status, browser.title)
    tally.check("other sites: their form is refused", seen == (403, "This form was sent from another site"), seen)
    tally.check("other sites: and changes nothing", world.contact(purchase) is None, "a contact")
    browser.complaints()
    browser.open(world.elsewhere.page("Frame", f"<iframe src='{world.sandbox.url}/register'></iframe>"))
    browser.driver.switch_to.frame(browser.driver.find_element(By.TAG_NAME, "iframe"))
    shown = browser.text("h1")
    browser.driver.switch_to.default_content()
    said = browser.complaints()
    holds = shown != "Set up your Harbor Analytics account" and any("frame-ancestors 'none'" in it for it in said)
    tally.check("other sites: they cannot frame the page, and the console says why", holds, (shown, said))
