"""The messages, media and switches of PyPI `jmessage` 2.0.0."""

import importlib
import struct
import zlib

import requests
from jmessage import JMessage, message, user

from jmessage_2_client import Client, text_to
from suite import APP, OTHER, TIME, Device, fresh


class Messages(Client):
    def send(self, model):
        def judge(got):
            self.assertEqual(sorted(got), ["msg_ctime", "msg_id"])
        return self.expect(self.messages.send(model), 201, judge)["msg_id"]

    def test_each_kind_reaches_the_device(self):
        admin, name = self.admin(), self.user()
        picture = {"media_id": "qiniu/image/1", "media_crc32": 4294967295, "width": 1, "height": 2, "format": "png", "fsize": 3}
        voice = {"media_id": "qiniu/voice/1", "media_crc32": 7, "duration": 4, "fsize": 5, "extras": {}}
        bodies = {"text": {"text": "你好 👋"}, "image": picture, "voice": voice}
        with Device(name, "secret") as phone:
            for kind, body in bodies.items():
                model = message.Model()
                model = getattr(model, kind)(body["text"] if kind == "text" else body)
                model.set_target(name, "single", name="Tom").set_from(admin, "admin", name="Desk")
                sent = self.send(model.notification("News", "look").notifiable(False).offline())
                entry = phone.entry()
                self.shows(entry, msg_id=sent)
                self.shows(entry["target"], type="single", id=name, name="Tom")
                self.shows(entry["from"], username=admin, name="Desk")
                self.shows(entry["message"], msg_type=kind, msg_body=body, no_notification=True,
                           notification={"title": "News", "alert": "look"})

    def test_without_offline_only_who_is_online_hears(self):
        admin, name = self.admin(), self.user()
        self.send(text_to(admin, name, "single", "now or never").offline(False))
        self.send(text_to(admin, name, "single", "waits"))
        with Device(name, "secret") as phone:
            page = phone.ask({"conv_list": {"with_last": True}})["conv_page"]["items"]
            conversation = next(item for item in page if item["type"] == "single")["conv_id"]
            covered = phone.ask({"sync": {"ranges": [{"conv_id": conversation}]}})["sync_page"]["items"]
            self.assertEqual([entry["message"]["msg_body"]["text"] for entry in covered[0]["entries"]], ["waits"])

    def test_a_message_is_taken_back_once(self):
        admin, name = self.admin(), self.user()
        with Device(name, "secret") as phone:
            sent = self.send(text_to(admin, name, "single", "oops"))
            self.refused(self.messages.retract(name, sent), 403, 855002)
            self.expect(self.messages.retract(admin, sent), 204)
            self.shows(phone.entry("retract")["retract"], msg_id=sent)
            self.refused(self.messages.retract(admin, sent), 400, 855004)
        self.refused(self.messages.retract(admin, 999999999), 404, 855003)

    def test_users_of_another_app_are_reached_by_a_grant(self):
        admin, name = self.admin(), fresh("user")
        theirs = user.User(JMessage(*OTHER))
        self.expect(theirs.create(name, "secret"), 201, [{"username": name}])
        with Device(name, "secret", OTHER) as phone:
            model = message.Model().text("from afar").set_target(name, "single", appkey=OTHER.key).set_from(admin, "admin")
            sent = self.send(model)
            entry = phone.entry()
            self.shows(entry, msg_id=sent)
            self.assertEqual((entry["from"]["appkey"], entry["target"]["appkey"]), (APP.key, OTHER.key))
        model = message.Model().text("hi").set_target(name, "single", appkey="0" * 24).set_from(admin, "admin")
        self.refused(self.messages.send(model), 403, 899020)

    def test_defects_of_the_client(self):
        admin, name = self.admin(), self.user()
        with Device(name, "secret") as phone:
            # It drops extras, and the body of a custom message.
            self.send(message.Model().text("hi", extras={"a": 1}).set_target(name, "single").set_from(admin, "admin"))
            self.assertEqual(phone.entry()["message"]["msg_body"], {"text": "hi"})
        custom = message.Model().custom({"a": 1}).set_target(name, "single").set_from(admin, "admin")
        self.refused(self.messages.send(custom), 400, 899003, "msg_body")
        # What it should have sent is taken.
        custom.data["msg_body"] = {"a": 1}
        self.send(custom)
        # A target type that it does not know is left out.
        self.refused(self.messages.send(text_to(admin, name, "everybody", "hi")), 400, 899003, "target_type")


def png(width, height):
    """A whole, small picture."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x7f" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


class Media(Client):
    def uploaded(self, response, data, **members):
        def judge(got):
            self.shows(got, media_crc32=zlib.crc32(data), fsize=len(data), **members)
            self.assertRegex(got["media_id"], r"^\w+/(image|voice|file)/")
        return self.expect(response, 200, judge)["media_id"]

    def downloaded(self, media_id):
        """By the address alone, without the app's credentials."""
        address = self.expect(self.resources.download(media_id), 200, lambda got: self.assertEqual(list(got), ["url"]))["url"]
        return requests.get(address, timeout=30)

    def test_files_come_back_as_they_were(self):
        picture = png(5, 3)
        for upload, name, data, members in (
            (self.resources.upload_image, "a.png", picture, {"width": 5, "height": 3, "format": "png"}),
            (self.resources.upload_voice, "a.m4a", b"voice", {"format": "m4a"}),
            (self.resources.upload_file, "名.bin", bytes(range(256)), {"fname": "名.bin"}),
        ):
            media_id = self.uploaded(upload((name, data)), data, **members)
            got = self.downloaded(media_id)
            self.assertEqual((got.status_code, got.content), (200, data))
        # The same class stands in another module, too.
        self.uploaded(message.Resource(JMessage(*APP)).upload_image(("b.png", picture)), picture, width=5)

    def test_what_is_no_picture_and_who_is_unknown_is_refused(self):
        self.refused(self.resources.upload_image(("a.png", b"no picture")), 400, 899003)
        self.refused(self.resources.upload("movie", ("a.mov", b"movie")), 400, 899003, "type")
        self.refused(self.resources.upload_file(("a.bin", bytes(8 * 1024 * 1024 + 1))), 400, 899003)
        self.refused(self.resources.download("qiniu/image/j/NOBODY"), 404, 899003)

    def test_a_picture_is_sent_by_what_the_upload_answered(self):
        admin, name = fresh("admin"), self.user()
        self.expect(self.users.create(admin, "secret", admin=True), 201)
        uploaded = self.read(self.resources.upload_image(("a.png", png(2, 2))))
        model = message.Model().image(uploaded).set_target(name, "single").set_from(admin, "admin")
        with Device(name, "secret") as phone:
            self.expect(self.messages.send(model), 201, lambda _: None)
            self.assertEqual(phone.entry()["message"]["msg_body"], uploaded)


class Switches(Client):
    def test_devices_may_register_users_or_not(self):
        self.expect(self.im.sdk_status(), 200, {"status": 1})
        self.expect(self.im.close_sdk(), 204)
        self.addCleanup(self.im.open_sdk)
        self.expect(self.im.sdk_status(), 200, {"status": 0})
        self.expect(self.im.open_sdk(), 204)
        self.expect(self.im.sdk_status(), 200, {"status": 1})

    def test_sensitive_words(self):
        admin, name = self.admin(), self.user()
        send = lambda text: self.messages.send(text_to(admin, name, "single", text))
        before = self.read(self.im.all_words(1))["total"]
        word, other = fresh("w")[-10:], fresh("x")[-10:]
        self.expect(self.im.add_words([word, other]), 204)
        self.expect(self.im.add_words(word), 204)
        listed = self.expect(self.im.all_words(201, start=before), 200, lambda got: self.assertEqual(got["total"], before + 2))
        self.assertEqual([row["name"] for row in listed["words"]], [word, other])
        self.assertRegex(listed["words"][0]["itime"], TIME)
        self.expect(self.im.word_status(), 200, {"status": 0})
        self.expect(send(f"a {word}"), 201, lambda _: None)
        self.expect(self.im.open_filter(), 204)
        self.addCleanup(self.im.close_filter)
        self.expect(self.im.word_status(), 200, {"status": 1})
        self.refused(send(f"a {word}"), 400, 803009, word)
        self.expect(send("a kind one"), 201, lambda _: None)
        self.expect(self.im.close_filter(), 204)
        self.expect(self.im.word_status(), 200, {"status": 0})
        self.refused(self.im.add_words("eleven long"), 400, 899003)

    def test_defects_of_the_client(self):
        word = fresh("d")[-10:]
        self.expect(self.im.add_words(word), 204)
        self.raises(self.im.change_word, old=word, new="other")
        self.raises(self.im.remove_word, word)
        self.assertIn(word, [row["name"] for row in self.read(self.im.all_words(200))["words"]])
        for module in ("report", "sensitiveword"):
            with self.assertRaises(SyntaxError):
                importlib.import_module(f"jmessage.{module}")
