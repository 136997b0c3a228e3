"""The other sites of a buyer's way: AWS Marketplace before the registration page, the seller's application after it,
and the host of the seller's logo. They are other origins than the registration URL, as they are on the web."""

import html
import os
import ssl
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HERE = os.path.dirname(os.path.abspath(__file__))

PAGE = '<!doctype html><html lang="en"><title>{title}</title><h1>{title}</h1>{rest}'


class OtherSite:
    """The pages that they show, by their paths, and what the application was asked."""

    def __init__(self, port, logo_port):
        # The sandbox is at 127.0.0.1, so that this is another site as well as another origin.
        self.url = f"http://localhost:{port}"
        self.logo_port = logo_port
        self.pages = {"/sign-up": ("Create your account", ""), "/sign-in": ("Sign in", "")}
        self.referrers = []

    def form(self, action, fields):
        """Puts up a page whose button posts these fields; answers where it is."""
        rows = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in fields.items()
        )
        form = f'<form method="post" action="{html.escape(action)}">{rows}<button>Set up your account</button></form>'
        return self.page("AWS Marketplace", form)

    def page(self, title, rest):
        path = f"/page-{len(self.pages)}"
        self.pages[path] = (title, rest)
        return self.url + path


def serve(respond):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, kind, body = respond(self)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    return server


@contextmanager
def running_other_site():
    def show(request):
        path = urlsplit(request.path).path
        if path not in other_site.pages:
            return 404, "text/plain", b""
        if path.startswith("/sign-"):
            other_site.referrers.append(request.headers.get("referer"))
        title, rest = other_site.pages[path]
        return 200, "text/html; charset=utf-8", PAGE.format(title=title, rest=rest).encode()

    with open(os.path.join(HERE, "logo.svg"), "rb") as file:
        logo = file.read()
    sites, logos = serve(show), serve(lambda _: (200, "image/svg+xml", logo))
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "certificate.pem")
        openssl = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=cdn.example.com",
        ]
        subprocess.run([*openssl, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
    logos.socket = tls.wrap_socket(logos.socket, server_side=True)
    other_site = OtherSite(sites.server_port, logos.server_port)
    for server in (sites, logos):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield other_site
    finally:
        for server in (sites, logos):
            server.shutdown()
            server.server_close()
