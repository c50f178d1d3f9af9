"""Makes what the examples of the API's description name: people, a group, a chatroom, words. Checks the description itself."""

import sys

import requests
from openapi_spec_validator import validate

base, appkey, secret = sys.argv[1:]
api = requests.Session()
api.auth = (appkey, secret)


def made(path, body):
    answer = api.post(base + path, json=body)
    assert answer.status_code in (200, 201, 204), (path, answer.status_code, answer.text)
    return answer.text


validate(requests.get(base + "/openapi.json").json())
made("/v1/users", [{"username": name, "password": "secret"} for name in ("anna", "tommy", "lucy")])
made("/v1/admins", {"username": "admin", "password": "secret"})
made("/v1/groups", {"owner_username": "anna", "name": "hikers", "members_username": ["tommy"]})
made("/v1/chatroom", {"owner_username": "anna", "name": "salon", "members_username": ["tommy"]})
made("/v1/users/anna/friends", ["lucy"])
made("/v1/sensitiveword", ["rude"])
