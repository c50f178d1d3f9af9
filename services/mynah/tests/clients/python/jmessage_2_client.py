"""PyPI `jmessage` 2.0.0, pointed at the server, and what its tests share."""

from jmessage import JMessage, group, im, message, resource, room, user

from suite import APP, SERVER, Suite, fresh

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


def text_to(sender, target, target_type, text, of="admin"):
    return message.Model().text(text).set_target(str(target), target_type).set_from(sender, of)
