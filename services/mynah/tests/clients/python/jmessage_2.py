"""PyPI `jmessage` 2.0.0 as published: every call that it can make, and those at which it raises by its own defects."""

import importlib
import struct
import unittest
import zlib

import requests
from jmessage import JMessage, group, im, message, resource, room, user

from suite import APP, OTHER, SERVER, TIME, Device, Suite, call, fresh

# The client's only places for the host are these attributes.
for holder, names in ((user.User, ("URI", "ADMIN_URI")), (group.Group, ("URI",)), (room.Room, ("URI",)), (im.IM, ("SDK_URI", "WORD_URI")),
                      (message.Message, ("URI",)), (message.Resource, ("URI",)), (resource.Resource, ("URI",))):
    for name in names:
        setattr(holder, name, getattr(holder, name).replace("https://api.im.jpush.cn", SERVER))


class Client(Suite):
    def setUp(self):
        jmessage = JMessage(*APP)
        self.users, self.groups, self.rooms = user.User(jmessage), group.Group(jmessage), room.Room(jmessage)
        self.messages, self.resources, self.im = message.Message(jmessage), resource.Resource(jmessage), im.IM(jmessage)

    def user(self, **profile):
        name = fresh("user")
        self.expect(self.users.create(name, "secret", **profile), 201, [{"username": name, **profile}])
        return name

    def admin(self):
        name = fresh("admin")
        self.expect(self.users.create(name, "secret", admin=True), 201)
        return name

    def group(self, owner, *members):
        return self.expect(self.groups.create(owner, "hikers", list(members)), 201, lambda _: None)["gid"]

    def room(self, owner, *members):
        return self.expect(self.rooms.create(owner, "lounge", list(members), "come in"), 201, lambda _: None)["chatroom_id"]

    def read(self, response):
        return self.expect(response, 200, lambda _: None)

    def raises(self, of_client, *arguments, **named):
        """The client's own defect: its put() and delete() with a body read a variable that is not set. Nothing is sent."""
        with self.assertRaises(UnboundLocalError):
            of_client(*arguments, **named)


class Users(Client):
    def test_users_are_registered_and_shown(self):
        profile = {"nickname": "汤姆", "birthday": "1990-01-24", "gender": 2, "signature": "👋", "region": "Shenzhen",
                   "address": "here", "avatar": "qiniu/image/1", "extras": {"a": {"b": [1, "二"]}}}
        name = self.user(**profile)
        profile["birthday"] += " 00:00:00"
        self.expect(self.users.get(name), 200, lambda got: self.shows_user(got, name, **profile))

    def test_many_are_registered_each_for_itself(self):
        taken, free = self.user(), fresh("user")
        many = [{"username": taken, "password": "secret"}, {"username": free, "password": "secret"}]
        def judge(got):
            self.assertEqual((got[0]["error"]["code"], got[1]), (899001, {"username": free}))
        self.expect(self.users.register(many), 201, judge)
        self.expect(self.users.create(taken, "secret"), 403, lambda got: self.assertEqual(got[0]["error"]["code"], 899001))

    def test_an_admin_comes_in_an_array_of_one(self):
        before = self.read(self.users.all(1, admin=True))["total"]
        admin = self.admin()
        self.expect(self.users.all(5, start=before, admin=True), 200, self.page([admin], before + 1, before))
        self.refused(self.users.create(admin, "secret", admin=True), 403, 899001)
        self.refused(self.users.register([], admin=True), 400, 899003)

    def test_users_are_listed(self):
        before = self.read(self.users.all(1))["total"]
        names = [self.user(), self.user()]
        # The client itself holds the count at 500.
        self.expect(self.users.all(501, start=before), 200, self.page(names, before + 2, before))

    def test_states(self):
        name, other = self.user(), self.user()
        self.expect(self.users.stat(name), 200, {"login": False, "online": False})
        with Device(name, "secret") as phone:
            self.assertTrue(phone.may_log_in())
            self.expect(self.users.stat(name), 200, {"login": True, "online": True})
            devices = [{"login": True, "online": True, "platform": "a"}]
            self.expect(self.users.stat([name, other]), 200, [{"username": name, "devices": devices}, {"username": other, "devices": []}])
        nobody = fresh("nobody")
        self.refused(self.users.stat([name, nobody]), 400, 899002, nobody)
        self.refused(self.users.stat(nobody), 404, 899002)

    def test_a_user_is_deleted(self):
        name = self.user()
        self.expect(self.users.delete(name), 204)
        self.refused(self.users.get(name), 404, 899002)

    def test_a_user_is_put_out_and_let_in_again(self):
        name = self.user()
        with Device(name, "secret") as phone:
            self.expect(self.users.block(name), 204)
            self.assertEqual(phone.kicked(), "disabled")
        with Device(name, "secret") as phone:
            self.assertFalse(phone.may_log_in())
        self.expect(self.users.active(name), 204)
        with Device(name, "secret") as phone:
            self.assertTrue(phone.may_log_in())

    def test_friends_are_made_for_both(self):
        name, friend = self.user(nickname="Tom"), self.user()
        self.expect(self.users.add_friends(name, friend), 201)
        self.assertEqual([f["username"] for f in self.read(self.users.friends(name))], [friend])
        self.expect(self.users.friends(friend), 200, lambda got: self.shows_user(got[0], name, nickname="Tom"))
        self.refused(self.users.add_friends(name, [friend]), 400, 899070)
        self.refused(self.users.add_friends(name, [name]), 400, 899003)
        self.refused(self.users.friends(fresh("nobody")), 404, 899002)

    def test_a_blacklist_is_shown(self):
        name, other = self.user(), self.user()
        self.expect(self.users.blacklist(name), 200, [])
        self.assertEqual(call("PUT", f"/v1/users/{name}/blacklist", [other]).status_code, 204)
        self.expect(self.users.blacklist(name), 200, lambda got: self.shows_user(got[0], other))

    def test_do_not_disturb(self):
        name, other = self.user(), self.user()
        gid = self.group(other, name)
        self.expect(self.users.add_sigle_nodisturb(name, other), 204)
        self.refused(self.users.add_sigle_nodisturb(name, [other]), 400, 899043)
        self.expect(self.users.remove_sigle_nodisturb(name, other), 204)
        self.refused(self.users.remove_sigle_nodisturb(name, other), 400, 899044)
        self.expect(self.users.add_group_nodisturb(name, gid), 204)
        self.refused(self.users.add_group_nodisturb(name, gid), 400, 899047)
        self.expect(self.users.remove_group_nodisturb(name, gid), 204)
        self.refused(self.users.remove_group_nodisturb(name, gid), 400, 899049)
        self.refused(self.users.add_group_nodisturb(name, 999999999), 400, 899051)
        self.expect(self.users.open_global_nodisturb(name), 204)
        self.refused(self.users.open_global_nodisturb(name), 400, 899048)
        self.expect(self.users.close_global_nodisturb(name), 204)
        self.expect(self.users.close_global_nodisturb(name), 204)

    def test_a_group_is_shielded(self):
        name, other, admin = self.user(), self.user(), self.admin()
        gid = self.group(other, name)
        send = lambda text: self.expect(self.messages.send(text_to(admin, gid, "group", text)), 201, lambda _: None)
        with Device(name, "secret") as phone:
            self.expect(self.users.add_groups_shield(name, gid), 204)
            self.refused(self.users.add_groups_shield(name, [gid]), 400, 899052)
            send("behind the shield")
            self.expect(self.users.remove_groups_shield(name, gid), 204)
            self.refused(self.users.remove_groups_shield(name, gid), 400, 899053)
            send("seen")
            self.assertEqual(phone.entry()["message"]["msg_body"], {"text": "seen"})
        self.refused(self.users.add_groups_shield(name, 999999999), 400, 899051)

    def test_defects_of_the_client(self):
        name, other = self.user(), self.user()
        self.raises(self.users.update, name, nickname="changed")
        self.raises(self.users.update_password, name, "another")
        self.raises(self.users.delete, [name])
        self.raises(self.users.add_blacklist, name, other)
        self.raises(self.users.remove_blacklist, name, other)
        self.raises(self.users.remove_friends, name, other)
        self.raises(self.users.update_friend, name, other, remark="note")
        self.raises(self.users.update_friends, name, {"username": other, "note_name": "note"})
        self.assertNotIn("nickname", self.read(self.users.get(name)))
        self.assertEqual((self.read(self.users.blacklist(name)), self.read(self.users.friends(name))), ([], []))


class Groups(Client):
    def test_a_group_is_made_shown_and_dissolved(self):
        owner, member = self.user(), self.user()
        def made(got):
            self.shows(got, owner_username=owner, name="hikers", members_username=[member], desc="on foot", MaxMemberCount=500,
                       avatar="qiniu/image/2", appkey=APP.key)
            self.assertRegex(got["ctime"], TIME)
        response = self.groups.create(owner, "hikers", members=member, avatar="qiniu/image/2", desc="on foot", flag=2)
        gid = self.expect(response, 201, made)["gid"]
        shown = dict(gid=gid, name="hikers", desc="on foot", avatar="qiniu/image/2", flag=2, MaxMemberCount=500, appkey=APP.key)
        self.expect(self.groups.get(gid), 200, lambda got: self.shows(got, **shown))
        self.expect(self.users.groups(member), 200, lambda got: self.shows(got[0], **shown))
        self.expect(self.groups.delete(gid), 204)
        self.refused(self.groups.get(gid), 403, 899006)
        self.expect(self.users.groups(member), 200, [])

    def test_groups_are_listed(self):
        owner = self.user()
        before = self.read(self.groups.all(1))["total"]
        gids = [self.group(owner), self.group(owner)]
        self.expect(self.groups.all(501, start=before), 200, self.page(gids, before + 2, before, "groups", "gid"))

    def test_members_come_and_go(self):
        owner, first, second = self.user(), self.user(nickname="Tom"), self.user()
        gid = self.group(owner)
        self.expect(self.groups.add_members(gid, first), 204)
        self.expect(self.groups.add_members(gid, [second]), 204)
        def judge(got):
            self.assertEqual([(member["username"], member["flag"]) for member in got], [(owner, 1), (first, 0), (second, 0)])
            self.shows_user(got[1], first, nickname="Tom")
        self.expect(self.groups.members(gid), 200, judge)
        self.expect(self.groups.remove_members(gid, first), 204)
        self.refused(self.groups.remove_members(gid, first), 400, 899014, first)
        self.refused(self.groups.remove_members(gid, owner), 400, 899003, "owner")
        self.refused(self.groups.add_members(gid, second), 400, 899011)
        self.assertEqual([member["username"] for member in self.read(self.groups.members(gid))], [owner, second])

    def test_defects_of_the_client(self):
        owner, member = self.user(), self.user()
        gid = self.group(owner, member)
        self.raises(self.groups.update, gid, name="changed")
        self.raises(self.groups.add_silence, gid, member)
        self.raises(self.groups.remove_silence, gid, member)
        # The new owner is not sent at all.
        self.refused(self.groups.update_owner(gid, member), 400, 899003)
        self.expect(self.groups.get(gid), 200, lambda got: self.shows(got, name="hikers", owner_username=owner))


class Rooms(Client):
    def test_a_room_is_made_shown_and_deleted(self):
        owner, member = self.user(), self.user()
        response = self.rooms.create(owner, "茶室 🍵", member, "come in")
        number = self.expect(response, 201, lambda got: self.assertEqual(list(got), ["chatroom_id"]))["chatroom_id"]
        def shown(got):
            self.shows(got, id=number, owner_username=owner, name="茶室 🍵", description="come in", appkey=APP.key,
                       max_member_count=10000, total_member_count=2)
            self.assertRegex(got["ctime"], TIME)
        self.expect(self.rooms.get(number), 200, lambda got: shown(*got))
        self.expect(self.users.chatrooms(member), 200, lambda got: shown(*got))
        self.assertEqual(len(self.read(self.rooms.get([number, 999999999]))), 1)
        self.expect(self.rooms.delete(number), 204)
        self.refused(self.rooms.delete(number), 404, 899081)
        self.expect(self.rooms.get(number), 200, [])
        self.expect(self.users.chatrooms(member), 200, [])

    def test_rooms_are_listed(self):
        owner = self.user()
        before = self.read(self.rooms.all(1))["total"]
        numbers = [self.room(owner), self.room(owner)]
        self.expect(self.rooms.all(10, start=before), 200, self.page(numbers, before + 2, before, "rooms", "id"))

    def test_members_are_shown_and_muted(self):
        owner, member = self.user(), self.user()
        number = self.room(owner, member)
        def judge(flag):
            def of(got):
                self.assertEqual([got.pop("total"), got.pop("start"), got.pop("count")], [2, 0, 2])
                self.assertEqual([(row["username"], row["flag"]) for row in got["users"]], [(owner, 0), (member, flag)])
                for row in got["users"]:
                    self.assertEqual([name for name in ("room_ctime", "mtime", "ctime") if name not in row], [])
                    self.assertRegex(row["room_ctime"], TIME)
            return of
        self.expect(self.rooms.members(number, 10), 200, judge(0))
        self.expect(self.rooms.add_silence(number, member), 204)
        self.expect(self.rooms.members(number, 10), 200, judge(1))
        muted = self.messages.send(text_to(member, number, "chatroom", "hi", of="user"))
        self.refused(muted, 403, 847002)
        self.expect(self.rooms.remove_silence(number, member), 204)
        self.expect(self.rooms.members(number, 10), 200, judge(0))
        self.refused(self.rooms.add_silence(number, self.user()), 400, 899082)
        self.refused(self.rooms.members(999999999, 10), 404, 899081)

    def test_defects_of_the_client(self):
        owner, member = self.user(), self.user()
        number = self.room(owner)
        self.raises(self.rooms.update, number, owner=owner, name="changed", desc="")
        self.raises(self.rooms.add_members, number, member)
        self.raises(self.rooms.remove_members, number, owner)
        self.expect(self.rooms.get(number), 200, lambda got: self.shows(got[0], name="lounge", total_member_count=1))


def text_to(sender, target, target_type, text, of="admin"):
    return message.Model().text(text).set_target(str(target), target_type).set_from(sender, of)


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


if __name__ == "__main__":
    unittest.main()
