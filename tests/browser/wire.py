"""What the browsers saw on the wire, over all flows."""

from urllib.parse import unquote

HEADERS = {
    "strict-transport-security": "max-age=63072000",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
}

POLICY = ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"]


def headers_are_secure(env, browsers, tally):
    """Every answer of the registration URL, pages and redirects alike."""
    answers = [
        answer
        for browser in browsers.values()
        for answer in browser.answers
        if answer.url.startswith(env.sandbox.url + "/register")
    ]
    wrong = []
    for answer in answers:
        lacking = [name for name, value in HEADERS.items() if answer.headers.get(name) != value]
        policy = answer.headers.get("content-security-policy", "").split("; ")
        lacking += [directive for directive in POLICY if directive not in policy]
        lacking += [
            directive for directive in policy if "unsafe" in directive or "*" in directive or "data:" in directive
        ]
        if lacking:
            wrong.append((answer.method, answer.url, answer.status, lacking))
    statuses = sorted({answer.status for answer in answers})
    tally.check("every answer has the security headers", not wrong, wrong)
    tally.check(
        f"of pages, redirects and problems: {statuses}",
        {200, 303, 400, 403, 405, 409, 410, 503} <= set(statuses),
        statuses,
    )
    leads = {
        lead
        for answer in answers
        for lead in answer.headers["content-security-policy"].split("; ")
        if "form-action" in lead
    }
    expected = {"form-action 'self'", f"form-action 'self' {env.other_site.url}"}
    tally.check("the policy lets forms lead to the application and nowhere else", leads == expected, leads)


def nothing_secret_in_addresses(env, browsers, tally):
    """No token, and nothing that a buyer typed; the one-time code alone, at the application."""
    urls = [url for browser in browsers.values() for _, url in browser.requests]
    urls += [answer.url for browser in browsers.values() for answer in browser.answers]
    typed = ["example.com%", "kim@", "kim%40", "lee@", "Kim", "PO-7"]
    wrong = [url for url in urls if any(secret in url for secret in typed)]
    wrong += [url for url in urls if any(token in form for token in env.tokens for form in (url, unquote(url)))]
    tally.check(f"none of {len(urls)} addresses has a token or a detail of a buyer", urls and not wrong, wrong)
    with_code = {url.split("?")[0] for url in urls if "code=" in url}
    doors = {env.other_site.url + path for path in ("/sign-up", "/sign-in")}
    tally.check("a code stands in the addresses of the application alone", with_code == doors, with_code)
