"""PyPI `jmessage` 1.0.2 as published: every call that it has. Its answers are those of `requests`."""

import unittest

from jmessage import JMessage, url

from suite import APP, OTHER, SERVER, Device, Suite, call, fresh

url.IM_URL = SERVER


class Client(Suite):
    def setUp(self):
        jmessage = JMessage(*APP)
        self.users, self.groups, self.messages = jmessage.create_users(), jmessage.create_groups(), jmessage.create_messages()

    def user(self, **profile):
        name = fresh("user")
        body = [self.users.build_user(username=name, password="secret", **profile)]
        self.expect(self.users.regist_user(body), 201, [{"username": name, **profile}])
        return name

    def admin(self):
        name = fresh("admin")
        self.expect(self.users.regist_admin(self.users.build_user(username=name, password="secret")), 201)
        return name

    def group(self, owner, *members):
        body = self.groups.build_group(owner_username=owner, name="hikers", members_username=list(members), desc="on foot")
        return str(self.expect(self.groups.create_group(body), 201, lambda _: None)["gid"])

    def members(self, gid):
        got = self.expect(self.groups.get_group_members(gid), 200, lambda _: None)
        return [(member["username"], member["flag"]) for member in got]


class Users(Client):
    def test_a_user_is_registered_with_a_profile_and_shown(self):
        profile = {"nickname": "汤姆", "gender": 1, "signature": "👋", "region": "Shenzhen", "address": "here", "avatar": "qiniu/image/1"}
        name = self.user(**profile)
        self.expect(self.users.get_user_by_username(name), 200, lambda got: self.shows_user(got, name, **profile))

    def test_members_that_the_service_does_not_know_are_no_fault(self):
        name = fresh("user")
        body = [self.users.build_user(username=name, password="secret", star=2, mtime="2016-01-01", ctime="2016-01-01")]
        self.expect(self.users.regist_user(body), 201, [{"username": name}])
        self.assertNotIn("star", self.expect(self.users.get_user_by_username(name), 200, lambda got: self.shows_user(got, name)))

    def test_a_taken_name_is_refused_in_its_place_only(self):
        taken, free = self.user(), fresh("user")
        both = [self.users.build_user(username=name, password="secret") for name in (free, taken)]
        def judge(got):
            self.assertEqual((got[0], got[1]["username"], got[1]["error"]["code"]), ({"username": free}, taken, 899001))
        self.expect(self.users.regist_user(both), 201, judge)
        def refused(got):
            self.assertEqual((len(got), got[0]["username"], got[0]["error"]["code"]), (1, taken, 899001))
        self.expect(self.users.regist_user(both[1:]), 403, refused)
        self.expect(self.users.get_user_by_username(free), 200, lambda got: self.shows_user(got, free))

    def test_a_bad_registration_is_refused(self):
        self.refused(self.users.regist_user([]), 400, 899003)
        short = self.users.regist_user([self.users.build_user(username="abc", password="secret")])
        self.expect(short, 400, lambda got: self.assertEqual(got[0]["error"]["code"], 899003))

    def test_an_admin_is_registered_once(self):
        admin = self.admin()
        self.refused(self.users.regist_admin(self.users.build_user(username=admin, password="secret")), 403, 899001)
        self.expect(self.users.get_user_by_username(admin), 200, lambda got: self.shows_user(got, admin))

    def test_a_password_is_changed(self):
        name = self.user()
        self.expect(self.users.put_user_password(name, "another"), 204)
        with Device(name, "secret") as old, Device(name, "another") as new:
            self.assertEqual((old.may_log_in(), new.may_log_in()), (False, True))
        self.refused(self.users.put_user_password(name, "abc"), 400, 899003, "new_password")
        self.refused(self.users.put_user_password(fresh("nobody"), "another"), 404, 899002)

    def test_a_user_is_deleted_and_the_name_comes_back_as_somebody_else(self):
        name = self.user(nickname="first")
        self.expect(self.users.delete_user_by_username(name), 204)
        self.refused(self.users.get_user_by_username(name), 404, 899002)
        self.refused(self.users.delete_user_by_username(name), 404, 899002)
        self.expect(self.users.regist_user([self.users.build_user(username=name, password="secret")]), 201, [{"username": name}])
        again = self.expect(self.users.get_user_by_username(name), 200, lambda got: self.shows_user(got, name))
        self.assertNotIn("nickname", again)

    def test_names_may_hold_what_stands_in_paths(self):
        name = fresh("a.b-c@d_")
        self.expect(self.users.regist_user([self.users.build_user(username=name, password="secret")]), 201, [{"username": name}])
        self.expect(self.users.get_user_by_username(name), 200, lambda got: self.shows_user(got, name))
        self.expect(self.users.delete_user_by_username(name), 204)

    def test_users_are_listed_by_pages_without_admins(self):
        before = self.expect(self.users.get_users("0", "1"), 200, lambda _: None)["total"]
        names = [self.user(), self.user(), self.user()]
        self.admin()
        self.expect(self.users.get_users(str(before), "2"), 200, self.page(names[:2], before + 3, before))
        self.expect(self.users.get_users(str(before + 3), "2"), 200, self.page([], before + 3, before + 3))
        self.refused(self.users.get_users("-1", "2"), 400, 899003, "start")
        self.refused(self.users.get_users("0", "501"), 400, 899003, "count")

    def test_a_blacklist_is_shown_though_the_call_has_a_body(self):
        name, other = self.user(), self.user()
        self.expect(self.users.get_blacklist(name), 200, [])
        self.assertEqual(call("PUT", f"/v1/users/{name}/blacklist", [other]).status_code, 204)
        def judge(got):
            self.assertEqual(len(got), 1)
            self.shows_user(got[0], other)
        self.expect(self.users.get_blacklist(name), 200, judge)

    def test_defect_of_the_client_a_blacklist_is_sent_as_bare_text(self):
        name = self.user()
        self.refused(self.users.blacklist_user_by_username(name), 400, 899003)
        self.refused(self.users.delete_blacklist_by_username(name), 400, 899003)
        self.expect(self.users.get_blacklist(name), 200, [])


class Credentials(Client):
    def test_wrong_ones_are_refused(self):
        for key, secret, code in ((APP.key, OTHER.secret, 899008), ("0" * 24, APP.secret, 899009)):
            response = JMessage(key, secret).create_users().get_users("0", "1")
            self.refused(response, 401, code)

    def test_another_app_sees_none_of_it(self):
        name = self.user()
        other = JMessage(*OTHER)
        self.refused(other.create_users().get_user_by_username(name), 404, 899002)
        self.refused(other.create_groups().get_group(self.group(name)), 403, 899006)


class Groups(Client):
    def test_a_group_is_made_and_shown(self):
        owner, member = self.user(), self.user()
        body = self.groups.build_group(owner_username=owner, name="hikers 🥾", members_username=[member], desc="on foot")
        def made(got):
            self.shows(got, owner_username=owner, name="hikers 🥾", members_username=[member], desc="on foot", MaxMemberCount=500)
            self.assertGreaterEqual(got["gid"], 1000)
        gid = self.expect(self.groups.create_group(body), 201, made)["gid"]
        shown = {"gid": gid, "name": "hikers 🥾", "desc": "on foot", "appkey": APP.key, "MaxMemberCount": 500}
        self.expect(self.groups.get_group(str(gid)), 200, lambda got: self.shows(got, **shown))
        self.assertEqual(self.members(str(gid)), [(owner, 1), (member, 0)])

    def test_a_group_of_nobody_is_refused(self):
        owner, nobody = self.user(), fresh("nobody")
        refused = self.groups.create_group(self.groups.build_group(owner_username=nobody, name="hikers"))
        self.refused(refused, 400, 899002, nobody)
        refused = self.groups.create_group(self.groups.build_group(owner_username=owner, name="n", members_username=[nobody]))
        self.refused(refused, 400, 899002, nobody)
        self.refused(self.groups.create_group(self.groups.build_group(owner_username=owner)), 400, 899003, "name")
        self.expect(self.groups.get_groups_by_username(owner), 200, [])

    def test_a_group_is_renamed(self):
        gid = self.group(self.user())
        self.expect(self.groups.put_group(gid, self.groups.build_group(name="climbers", desc="by rope")), 204)
        self.expect(self.groups.get_group(gid), 200, lambda got: self.shows(got, name="climbers", desc="by rope"))
        self.refused(self.groups.put_group(gid, self.groups.build_group(desc="d" * 251)), 400, 899003, "desc")

    def test_a_group_is_dissolved_once(self):
        owner = self.user()
        gid = self.group(owner)
        self.expect(self.groups.delete_group(gid), 204)
        self.refused(self.groups.delete_group(gid), 403, 899006)
        self.refused(self.groups.get_group(gid), 403, 899006)
        self.refused(self.groups.get_group_members(gid), 403, 899006)
        self.expect(self.groups.get_groups_by_username(owner), 200, [])

    def test_members_are_added(self):
        owner, member = self.user(), self.user()
        gid = self.group(owner)
        self.expect(self.groups.put_group_members(gid, [member]), 204)
        self.assertEqual(self.members(gid), [(owner, 1), (member, 0)])
        self.refused(self.groups.put_group_members(gid, [member]), 400, 899011, member)
        nobody = fresh("nobody")
        self.refused(self.groups.put_group_members(gid, [self.user(), nobody]), 400, 899002, nobody)
        self.assertEqual(self.members(gid), [(owner, 1), (member, 0)])

    def test_defect_of_the_client_members_to_remove_are_dropped(self):
        owner, member, another = self.user(), self.user(), self.user()
        gid = self.group(owner, member)
        self.expect(self.groups.put_group_members(gid, [another], [member]), 204)
        self.assertEqual(self.members(gid), [(owner, 1), (member, 0), (another, 0)])

    def test_groups_of_a_user_and_of_the_app_are_listed(self):
        owner, member = self.user(), self.user()
        before = self.expect(self.groups.get_groups_list("0", "1"), 200, lambda _: None)["total"]
        gids = [int(self.group(owner, member)), int(self.group(owner))]
        of = lambda name: [group["gid"] for group in self.expect(self.groups.get_groups_by_username(name), 200, lambda _: None)]
        self.assertEqual((of(owner), of(member)), (gids, gids[:1]))
        self.expect(self.groups.get_groups_list(str(before), "5"), 200, self.page(gids, before + 2, before, "groups", "gid"))
        self.refused(self.groups.get_groups_by_username(fresh("nobody")), 404, 899002)


class Messages(Client):
    def text(self, admin, target_type, target_id, text="hello", **more):
        body = self.messages.build_message(version=1, target_type=target_type, from_type="admin", msg_type="text",
                                           target_id=target_id, from_id=admin, text=text, **more)
        return self.messages.send_messages(body)

    def sent(self, response):
        def judge(got):
            self.assertEqual(sorted(got), ["msg_ctime", "msg_id"])
            self.assertTrue(0 < got["msg_id"] < 2**53, got)
            self.assertGreater(got["msg_ctime"], 1_400_000_000_000)
        return self.expect(response, 201, judge)["msg_id"]

    def test_a_text_reaches_a_user_a_group_and_a_room(self):
        admin, name = self.admin(), self.user()
        gid = self.group(name)
        room = call("POST", "/v1/chatroom/", {"owner_username": name, "name": "lounge"}).json()["chatroom_id"]
        with Device(name, "secret") as phone:
            phone.enter(room)
            for kind, target in (("single", name), ("group", gid), ("chatroom", str(room))):
                extras = {"number": 7, "deep": {"list": [1, "二"]}}
                sent = self.sent(self.text(admin, kind, target, text="你好 👋", extras=extras, from_name="Desk", target_name="Tom"))
                entry = phone.entry()
                self.assertEqual((entry["msg_id"], entry["target"]["type"]), (sent, kind), entry)
                self.shows(entry["from"], username=admin, name="Desk", type="admin")
                self.shows(entry["message"], msg_type="text", msg_body={"text": "你好 👋", "extras": extras})

    def test_who_may_not_send_is_refused(self):
        admin, name, nobody = self.admin(), self.user(), fresh("nobody")
        self.refused(self.text(name, "single", name), 403, 899016)
        self.refused(self.text(nobody, "single", name), 400, 899002, nobody)
        self.refused(self.text(admin, "single", nobody), 400, 899002, nobody)
        self.refused(self.text(admin, "group", "999999999"), 403, 899006)
        self.refused(self.text(admin, "chatroom", "999999999"), 404, 899081)

    def test_members_that_are_null_count_as_missing(self):
        admin, name = self.admin(), self.user()
        for missing in ("version", "target_type", "from_type", "msg_type", "target_id", "from_id", "text"):
            whole = dict(version=1, target_type="single", from_type="admin", msg_type="text", target_id=name, from_id=admin, text="hi")
            body = self.messages.build_message(**{**whole, missing: None})
            self.refused(self.messages.send_messages(body), 400, 899003, missing)


if __name__ == "__main__":
    unittest.main()
