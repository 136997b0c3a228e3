"""The clients of the deployed API: a buyer's browser, and the seller's application that signs its calls. They name the
API's own host, and reach it at the local AWS."""

import http.client
import json
import re
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from local_aws import REGION


class Answer:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.text = response.read().decode()

    def document(self):
        return json.loads(self.text)

    def __str__(self):
        return f"{self.status} {self.text[:500]}"


class Client:
    def __init__(self, aws, url):
        self.local = urllib.parse.urlsplit(aws.url).netloc
        self.url = url
        self.host = urllib.parse.urlsplit(url).netloc

    def send(self, method, target, body="", headers=None):
        connection = http.client.HTTPConnection(self.local, timeout=60)
        try:
            connection.request(method, target, body.encode(), {"host": self.host} | (headers or {}))
            return Answer(connection.getresponse())
        finally:
            connection.close()


class Browser(Client):
    """It keeps its cookie, and says where a form comes from."""

    cookie = ""

    def get(self, path):
        return self.send("GET", path, headers={"cookie": self.cookie})

    def post(self, path, origin=None, **fields):
        origin = origin or f"https://{self.host}"
        headers = {"content-type": "application/x-www-form-urlencoded", "cookie": self.cookie, "origin": origin}
        answer = self.send("POST", path, urllib.parse.urlencode(fields), headers)
        if cookie := answer.headers.get("set-cookie"):
            self.cookie = cookie.split(";")[0]
        return answer

    def field(self, page, name):
        found = re.search(rf'name="{name}" value="([^"]+)"', page.text)
        return found[1] if found else ""


class Application(Client):
    """It signs as docs/CONNECT.md says."""

    def __init__(self, aws, url, key):
        super().__init__(aws, url)
        self.credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    def call(self, method, path, body=None, **headers):
        content = "" if body is None else json.dumps(body)
        headers = {"content-type": "application/json"} | headers
        request = AWSRequest(method, self.url + path, headers, content.encode())
        SigV4Auth(self.credentials, "execute-api", REGION).add_auth(request)
        return self.send(method, path, content, dict(request.headers))
