"""What the suites share: where the server is, names that nobody has yet, how an answer is judged, a device that listens."""

import collections
import itertools
import json
import os
import time
import unittest

import requests
import websocket

SERVER = os.environ["SERVER_URL"]
App = collections.namedtuple("App", "key secret")
APP = App(os.environ["APPKEY"], os.environ["MASTER_SECRET"])
# Each of the two may act on the users of the other.
OTHER = App(os.environ["OTHER_APPKEY"], os.environ["OTHER_MASTER_SECRET"])

TIME = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"
_numbers = itertools.count(int(time.time() * 1000) % 10**9)


def fresh(kind):
    """A name that nobody has, also when a suite runs again on the same server."""
    return f"{kind}{next(_numbers)}"


class Suite(unittest.TestCase):
    """A test of a client. The answers of both Python clients are those of `requests`."""

    maxDiff = None

    def expect(self, response, status, body=None):
        """The status and, where it is told, the body: a value, or a function that judges it. Without one the body is empty."""
        shown = f"{response.request.method} {response.request.url}: {response.status_code} {response.text[:500]}"
        self.assertEqual(response.status_code, status, shown)
        if body is None:
            self.assertEqual(response.content, b"", shown)
            return None
        self.assertEqual(response.headers["content-type"], "application/json; charset=utf-8", shown)
        got = json.loads(response.content.decode("utf-8"))
        if callable(body):
            body(got)
        else:
            self.assertEqual(got, body, shown)
        return got

    def refused(self, response, status, code, naming=""):
        """The error envelope, with a message that names what is wrong."""
        def judge(body):
            self.assertEqual(list(body), ["error"], body)
            self.assertEqual(sorted(body["error"]), ["code", "message"], body)
            self.assertEqual(body["error"]["code"], code, body)
            self.assertIn(naming, body["error"]["message"])
        self.expect(response, status, judge)

    def shows(self, got, **members):
        """These members have these values; others may stand beside them, but none is null."""
        self.assertEqual({name: got.get(name) for name in members}, members)
        self.assertNotIn(None, got.values())

    def shows_user(self, got, username, app=APP, **members):
        self.shows(got, username=username, appkey=app.key, **members)
        for name in ("ctime", "mtime"):
            self.assertRegex(got[name], TIME)
        self.assertNotIn("password", got)

    def page(self, names, total, start=0, of="users", by="username"):
        """Judges a page of a list: which rows it holds, in order."""
        def judge(got):
            self.assertEqual([row[by] for row in got.pop(of)], names)
            self.assertEqual(got, {"total": total, "start": start, "count": len(names)})
        return judge


def call(method, path, body=None, app=APP):
    """A call beside the client, where it has none that shows what another did."""
    return requests.request(method, SERVER + path, json=body, auth=app, timeout=30)


class Device:
    """A device that is logged in and hears what is sent to its user."""

    def __init__(self, username, password, app=APP):
        self.socket = websocket.create_connection(SERVER.replace("http", "ws") + "/v1/ws", timeout=20, subprotocols=["mynah.v1.json"])
        self.ids = itertools.count(1)
        self.heard = []
        self.ask({"hello": {"appkey": app.key, "platform": "a", "device_id": fresh("phone")}})
        self.login = self.ask({"login": {"username": username, "password": password}})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, frame):
        """The answer to a frame."""
        number = next(self.ids)
        self.socket.send(json.dumps({"id": number, **frame}))
        while True:
            for answer in self.frames():
                if answer.get("id") == number:
                    return answer
                self.heard.append(answer)

    def frames(self):
        return [json.loads(line) for line in self.socket.recv().splitlines() if line]

    def entry(self, kind="message"):
        """The next entry of a kind that is delivered, whatever comes before it."""
        while True:
            while self.heard:
                frame = self.heard.pop(0)
                entries = frame.get("deliver", {}).get("entries", [])
                for at, entry in enumerate(entries):
                    if kind in entry:
                        self.heard.insert(0, {"deliver": {"entries": entries[at + 1:]}})
                        return entry
            self.heard.extend(self.frames())

    def kicked(self):
        """Why the server ended the session."""
        while True:
            for frame in self.heard:
                if "kicked" in frame:
                    return frame["kicked"]["reason"]
            self.heard.extend(self.frames())

    def enter(self, room):
        """From now on it hears the room."""
        return self.ask({"room_enter": {"room_id": str(room)}})["room_state"]

    def may_log_in(self):
        return "login_ack" in self.login
