"""Every page that a buyer can come to, one after the other."""

from walks import NEW, arrive, fill_in


def every_page(world, browser):
    """Yields the name of each page when the browser shows it."""
    address = world.sandbox.url
    own = [("/register/details", "method not allowed"), ("/register/nothing", "nothing there")]

    browser.forget()
    purchase = arrive(world, browser, product="demo-subscription")
    yield "registration page, plain"
    arrive(world, browser, product="demo-contract", dimensions={"seats": 1})
    yield "registration page, with colours"
    arrive(world, browser)
    yield "registration page, with logo and consent"
    browser.press(NEW)
    yield "registration page, with errors"
    for path, name in own:
        browser.open(address + path)
        yield name

    world.deliver(hold=True)
    purchase = arrive(world, browser)
    browser.open(address + "/register/status")
    yield "status, pending"
    browser.press(".hint a")
    yield "status, not reloading"
    world.deliver(release=True)
    browser.open(address + "/register/status")
    yield "status, active"
    browser.open(address + "/register")
    fill_in(browser)
    browser.press(NEW)
    world.redeem(browser.code)
    world.link(purchase, "acme")
    browser.open(address + "/register")
    yield "linked"
    world.sandbox.call("POST", f"/sandbox/agreements/{purchase['agreement_id']}", {"action": "end"})
    browser.open(address + "/register/status")
    yield "status, ending"
    world.advance("70m")
    browser.open(address + "/register/status")
    yield "status, ended"

    world.payment_fails(lambda: arrive(world, browser, product="demo-legacy"))
    browser.open(address + "/register/status")
    yield "status, failed"

    world.press_set_up(browser, None)
    yield "token missing"
    world.press_set_up(browser, "made-up")
    yield "token invalid"
    old = world.buy()
    world.advance("5h")
    world.press_set_up(browser, old["token"])
    yield "token expired"
    browser.open(address + "/register")
    yield "session missing"
    world.press_set_up(browser, world.buy("demo-production")["token"])
    yield "product unknown"

    arrive(world, browser)
    token = browser.one("[name=form_token]").get_attribute("value")
    browser.open(world.elsewhere.form(address + "/register/details", {"form_token": token}))
    browser.press("button")
    yield "form of another site"
    world.press_set_up(browser, world.buy()["token"])
    browser.ask("document.querySelector('[name=form_token]').value = 'of another session'")
    browser.press(NEW)
    yield "form stale"
    world.press_set_up(browser, world.buy()["token"])
    browser.ask("document.querySelector('button').value = 'neither'")
    browser.press("button")
    yield "form unreadable"

    for kind, name in [("throttle", "AWS unavailable"), ("access_denied", "misconfigured")]:
        world.fault(service="metering", operation="ResolveCustomer", times=20, kind=kind)
        world.press_set_up(browser, world.buy()["token"])
        yield name
        world.mend()
    arrive(world, browser)
    world.fault(service="dynamodb", operation="GetItem", times=50, kind="error500")
    browser.open(address + "/register")
    yield "table unavailable"
    world.mend()
