"""Every page that a buyer can come to, one after the other."""

from flows import NEW, fill_in, open_registration


def every_page(env, browser):
    """Yields the name of each page when the browser shows it."""
    address = env.sandbox.url
    own = [("/register/details", "method not allowed"), ("/register/nothing", "nothing there")]

    browser.forget()
    purchase = open_registration(env, browser, product="demo-subscription")
    yield "registration page, plain"
    open_registration(env, browser, product="demo-contract", dimensions={"seats": 1})
    yield "registration page, with colours"
    open_registration(env, browser)
    yield "registration page, with logo and consent"
    browser.press(NEW)
    yield "registration page, with errors"
    for path, name in own:
        browser.open(address + path)
        yield name

    env.deliver(hold=True)
    purchase = open_registration(env, browser)
    browser.open(address + "/register/status")
    yield "status, pending"
    browser.press(".hint a")
    yield "status, not reloading"
    env.deliver(release=True)
    browser.open(address + "/register/status")
    yield "status, active"
    browser.open(address + "/register")
    fill_in(browser)
    browser.press(NEW)
    env.redeem(browser.code)
    env.link(purchase, "acme")
    browser.open(address + "/register")
    yield "linked"
    env.sandbox.call("POST", f"/sandbox/agreements/{purchase['agreement_id']}", {"action": "end"})
    browser.open(address + "/register/status")
    yield "status, ending"
    env.advance("70m")
    browser.open(address + "/register/status")
    yield "status, ended"

    env.payment_fails(lambda: open_registration(env, browser, product="demo-legacy"))
    browser.open(address + "/register/status")
    yield "status, failed"

    env.click_set_up(browser, None)
    yield "token missing"
    env.click_set_up(browser, "made-up")
    yield "token invalid"
    old = env.buy()
    env.advance("5h")
    env.click_set_up(browser, old["token"])
    yield "token expired"
    browser.open(address + "/register")
    yield "session missing"
    env.click_set_up(browser, env.buy("demo-production")["token"])
    yield "product unknown"

    open_registration(env, browser)
    token = browser.one("[name=form_token]").get_attribute("value")
    browser.open(env.other_site.form(address + "/register/details", {"form_token": token}))
    browser.press("button")
    yield "form of another site"
    env.click_set_up(browser, env.buy()["token"])
    browser.ask("document.querySelector('[name=form_token]').value = 'of another session'")
    browser.press(NEW)
    yield "form stale"
    env.click_set_up(browser, env.buy()["token"])
    browser.ask("document.querySelector('button').value = 'neither'")
    browser.press("button")
    yield "form unreadable"

    for kind, name in [("throttle", "AWS unavailable"), ("access_denied", "misconfigured")]:
        env.fault(service="metering", operation="ResolveCustomer", times=20, kind=kind)
        env.click_set_up(browser, env.buy()["token"])
        yield name
        env.clear_faults()
    open_registration(env, browser)
    env.fault(service="dynamodb", operation="GetItem", times=50, kind="error500")
    browser.open(address + "/register")
    yield "table unavailable"
    env.clear_faults()
