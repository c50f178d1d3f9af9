"""PyPI `jmessage` 2.0.0 as published: every call that it can make, and those at which it raises by its own defects."""

import unittest

from jmessage_2_client import Client, text_to
from jmessage_2_messages import Media, Messages, Switches
from suite import APP, TIME, Device, call, fresh

__all__ = ["Groups", "Media", "Messages", "Rooms", "Switches", "Users"]


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


if __name__ == "__main__":
    unittest.main()
