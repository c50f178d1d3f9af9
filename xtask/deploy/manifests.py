"""The manifests as a cluster gets them: the few features of kustomize that the overlays use, and no other."""

import copy
import json
import re
import shutil
import subprocess

import yaml

KNOWN = {"apiVersion", "kind", "namespace", "resources", "configMapGenerator", "images", "patches"}


def load(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def settings(path):
    """A file of settings: a name and a value a line."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def build(folder, used=None):
    """What `kustomize build` gives, but for the hash in the name of a generated ConfigMap. `used` gathers the files that were read."""
    used = set() if used is None else used
    said = load(folder / "kustomization.yaml")[0]
    used.add(folder / "kustomization.yaml")
    unknown = set(said) - KNOWN
    if unknown:
        raise ValueError(f"{folder}: this check does not read: {', '.join(sorted(unknown))}")
    objects = []
    for name in said.get("resources", []):
        path = (folder / name).resolve()
        if path.is_dir():
            objects += build(path, used)
        else:
            used.add(path)
            objects += load(path)
    for generator in said.get("configMapGenerator", []):
        generate(folder, generator, objects, used)
    for patch in said.get("patches", []):
        used.add(folder / patch["path"])
        target = find(objects, patch["target"]["kind"], patch["target"]["name"])
        for operation in load(folder / patch["path"])[0]:
            apply(target, operation, folder / patch["path"])
    for image in said.get("images", []):
        retag(objects, image)
    for item in objects:
        if "namespace" in said and item["kind"] != "Namespace":
            item["metadata"]["namespace"] = said["namespace"]
    return objects


def generate(folder, generator, objects, used):
    data = {}
    for name in generator["envs"]:
        used.add(folder / name)
        data |= settings(folder / name)
    if generator.get("behavior") == "merge":
        find(objects, "ConfigMap", generator["name"])["data"].update(data)
    else:
        objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data})


def find(objects, kind, name):
    for item in objects:
        if (item["kind"], item["metadata"]["name"]) == (kind, name):
            return item
    raise ValueError(f"there is no {kind} {name}")


def apply(target, operation, path):
    """One operation of a JSON patch: the place must be there."""
    *steps, last = operation["path"].strip("/").split("/")
    place = target
    try:
        for step in steps:
            place = place[int(step) if isinstance(place, list) else step]
        last = int(last) if isinstance(place, list) else last
        place[last]
    except (KeyError, IndexError, ValueError):
        raise ValueError(f"{path}: there is no {operation['path']} to change") from None
    if operation["op"] == "remove":
        del place[last]
    elif operation["op"] == "replace":
        place[last] = copy.deepcopy(operation["value"])
    else:
        raise ValueError(f"{path}: this check does not read: {operation['op']}")


def containers(item):
    return item.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])


def retag(objects, image):
    found = [c for item in objects for c in containers(item) if c["image"].split(":")[0] == image["name"]]
    if not found:
        raise ValueError(f"no container has the image {image['name']}")
    for container in found:
        container["image"] = image.get("newName", image["name"]) + ":" + image["newTag"]


def tools():
    """The commands of kustomize that this machine has."""
    found = []
    if shutil.which("kustomize"):
        found.append(["kustomize", "build"])
    if shutil.which("kubectl"):
        found.append(["kubectl", "kustomize"])
    return found


def built_by(tool, folder):
    """What a real kustomize gives, with generated names as they were before their hash."""
    done = subprocess.run([*tool, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"{' '.join(tool)} {folder}: {done.stderr.strip()}")
    text = re.sub(r"\b(mynah-settings)-[0-9a-z]{10}\b", r"\1", done.stdout)
    return [document for document in yaml.safe_load_all(text) if document]


def by_name(objects):
    return {f"{item['kind']} {item['metadata']['name']}": json.dumps(item, sort_keys=True) for item in objects}
