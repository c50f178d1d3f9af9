"""The manifests of an overlay: valid for Kubernetes, fitting to one another and to the binaries."""

import base64
import functools
import json
import re

import kubernetes_validate

import manifests

# The oldest that knows all that is used, and the newest that is known here.
VERSIONS = ("1.32.0", "1.37.0")
WORKLOADS = ("Deployment", "StatefulSet", "Job")
# Who speaks to Kafka.
KAFKA = ("gateway", "directory", "router")
FLEETS = {"MYNAH_DIRECTORIES": "directory", "MYNAH_ROUTERS": "router", "MYNAH_REPORTS": "report"}
# Whose commands are run by themselves, and what these do not start without.
OPERATES = {"directory": {"MYNAH_DIRECTORY_DATABASE"}, "router": {"MYNAH_LOG_DATABASE"}}
# Beyond its spread a drain takes at most this, in seconds (services/cluster/src/gateway.rs, DRAIN_AT_MOST).
DRAIN_SECONDS = 5


def problems(objects, sources, deploy):
    found = schemas(objects)
    told = manifests.find(objects, "ConfigMap", "mynah-settings")["data"]
    found += [f"ConfigMap: {name} is no setting" for name in told if name not in sources.settings]
    works = [item for item in objects if item["kind"] in WORKLOADS]
    kinds = sorted(component(item) for item in works)
    if kinds != sorted(sources.binaries):
        found.append(f"there are workloads of {kinds}, and binaries {sorted(sources.binaries)}")
    for item in works:
        found += workload(item, told, sources)
    found += selectors(objects, works) + addresses(objects, told) + policies(objects, told, sources)
    found += scaling(objects, works, sources) + ingress(objects) + grace(works, told, sources)
    return found + secrets(works, deploy)


def job_problems(objects, sources, deploy):
    found = schemas(objects)
    for item in objects:
        found += workload(item, {}, sources, operates=True)
    return found + secrets(objects, deploy, whole=False)


def schemas(objects):
    return [problem for item in objects for problem in schema(json.dumps(item))]


@functools.cache
def schema(text):
    """What the schemas say of one object. Kept: most objects are the same in both overlays."""
    item, found = json.loads(text), []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(item, version, strict=True)
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            found.append(f"{item['kind']} {item['metadata']['name']}: {version}: {str(error).splitlines()[0]}")
    return found


def component(item):
    return item["metadata"]["labels"]["app.kubernetes.io/component"]


def port_of(told, name):
    return int(told[f"MYNAH_{name.upper()}_LISTEN"].rsplit(":", 1)[1])


def workload(item, told, sources, operates=False):
    name, pod = item["metadata"]["name"], item["spec"]["template"]["spec"]
    found = []
    for container in pod["containers"]:
        binary = container["image"].split(":")[0].removeprefix("mynah-")
        if binary not in sources.binaries:
            found.append(f"there is no binary {binary}")
            continue
        known = dict(told)
        for variable in container["env"]:
            if variable["name"].startswith("MYNAH_") and variable["name"] not in sources.settings:
                found.append(f"{variable['name']} is no setting")
            for inner in re.findall(r"\$\((\w+)\)", variable.get("value", "")):
                if inner not in known:
                    found.append(f"{variable['name']}: {inner} is not there before it")
            known[variable["name"]] = variable
        needed = OPERATES.get(binary, {"a command"}) if operates else sources.required[binary]
        found += [f"{missing} must be set" for missing in sorted(needed - known.keys())]
        if binary == "directory" and not mounted(container, known):
            found.append("the secret key's file is not where the setting says")
        if not operates:
            found += ports(container, told, sources)
            found += protection(container, binary, known)
        found += safety(container, pod)
    return [f"{name}: {problem}" for problem in found]


def mounted(container, known, setting="MYNAH_SECRET_KEY_FILE"):
    value = known.get(setting, "")
    path = value if isinstance(value, str) else value["value"]
    return any(path.startswith(mount["mountPath"] + "/") for mount in container.get("volumeMounts", []))


def protection(container, binary, known):
    """What connections to engines over TLS, or with a login, need in the pod."""
    found = []
    if known.get("MYNAH_ENGINES_TLS_CA") and not mounted(container, known, "MYNAH_ENGINES_TLS_CA"):
        found.append("the engines' authorities are not where the setting says")
    login = {"MYNAH_KAFKA_USER", "MYNAH_KAFKA_PASSWORD"}
    if known.get("MYNAH_KAFKA_SECURITY", "").startswith("sasl") and binary in KAFKA and not login <= known.keys():
        found.append("it cannot log in to Kafka")
    return found


def ports(container, told, sources):
    found = []
    named = {port["name"]: port["containerPort"] for port in container["ports"]}
    wanted = {"grpc", "ops"} | ({"http"} if container["name"] == "gateway" else set())
    if set(named) != wanted:
        found.append(f"ports are {sorted(named)}, not {sorted(wanted)}")
    found += [f"port {name} is {port}, its setting says {port_of(told, name)}" for name, port in named.items() if port != port_of(told, name)]
    for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        asked = container[probe]["httpGet"]
        if asked["path"] not in sources.ops_paths or asked["path"] != path:
            found.append(f"{probe} asks for {asked['path']}")
        if asked["port"] not in ("ops", named["ops"]):
            found.append(f"{probe} asks port {asked['port']}")
    return found


def safety(container, pod):
    inside, outside = container["securityContext"], pod["securityContext"]
    held = {
        "runs as root": outside.get("runAsNonRoot") and outside.get("runAsUser", 0) > 0,
        "may write to its root file system": inside.get("readOnlyRootFilesystem"),
        "may gain rights": inside.get("allowPrivilegeEscalation") is False and inside.get("capabilities") == {"drop": ["ALL"]},
        "has a token of the cluster": pod.get("automountServiceAccountToken") is False,
        "gets variables of every Service": pod.get("enableServiceLinks") is False,
        "asks for no resources": set(container.get("resources", {}).get("requests", {})) == {"cpu", "memory"},
        "has no bound of memory": "memory" in container.get("resources", {}).get("limits", {}),
    }
    return [what for what, right in held.items() if not right]


def matches(selector, labels):
    return all(labels.get(name) == value for name, value in selector.items())


def selected(selector, works):
    return [item for item in works if matches(selector, item["spec"]["template"]["metadata"]["labels"])]


def selectors(objects, works):
    """Each selector means the one workload of its own kind."""
    wanted = []
    for item in objects:
        shown = f"{item['kind']} {item['metadata']['name']}"
        if item["kind"] == "Service":
            wanted.append((shown, component(item), item["spec"]["selector"]))
        if item["kind"] == "PodDisruptionBudget":
            wanted.append((shown, component(item), item["spec"]["selector"]["matchLabels"]))
        if item in works:
            wanted.append((shown, component(item), item["spec"]["selector"]["matchLabels"]))
            for rule in item["spec"]["template"]["spec"]["topologySpreadConstraints"]:
                wanted.append((f"{shown}: spread", component(item), rule["labelSelector"]["matchLabels"]))
    wrong = lambda kind, selector: [component(w) for w in selected(selector, works)] != [kind]
    found = [f"{shown}: its selector does not mean the {kind}" for shown, kind, selector in wanted if wrong(kind, selector)]
    for item in works:
        governs = item["spec"].get("serviceName")
        services = [s for s in objects if s["kind"] == "Service" and s["metadata"]["name"] == governs]
        if item["kind"] == "StatefulSet" and [s["spec"].get("clusterIP") for s in services] != ["None"]:
            found.append(f"{item['metadata']['name']}: serviceName means no headless Service")
    for item in objects:
        if item["kind"] != "Service":
            continue
        named = {p["name"] for w in selected(item["spec"]["selector"], works) for c in manifests.containers(w) for p in c["ports"]}
        found += [f"Service {item['metadata']['name']}: no port {p['targetPort']}" for p in item["spec"]["ports"] if p["targetPort"] not in named]
    return found


def addresses(objects, told):
    """The names by which processes find one another are headless Services of those that are meant."""
    found = []
    for setting, kind in FLEETS.items():
        name, port = told[setting].split(":")
        services = [s for s in objects if s["kind"] == "Service" and s["metadata"]["name"] == name]
        fits = [s for s in services if component(s) == kind and s["spec"].get("clusterIP") == "None"]
        if not fits or int(port) not in [p["port"] for p in fits[0]["spec"]["ports"]]:
            found.append(f"{setting}: {told[setting]} is no headless Service of the {kind}")
    return found


def policies(objects, told, sources):
    ours = {port_of(told, name): name for name in ("http", "grpc", "ops")}
    found, reached = [], {}
    for item in objects:
        if item["kind"] != "NetworkPolicy":
            continue
        spec, name = item["spec"], item["metadata"]["name"]
        kinds = kinds_of(spec["podSelector"], sources)
        for rule in spec.get("ingress", []):
            for port in rule["ports"]:
                told_name = ours.get(port["port"])
                if told_name is None or (told_name == "http" and kinds != {"gateway"}):
                    found.append(f"NetworkPolicy {name}: port {port['port']} is none of ours there")
                if not rule.get("from"):
                    found.append(f"NetworkPolicy {name}: lets everybody in")
        for rule in spec.get("egress", []):
            for kind in kinds:
                reached.setdefault(kind, set()).update(port["port"] for port in rule["ports"])
    for setting, kind in (*(("MYNAH_KAFKA", kind) for kind in KAFKA), ("MYNAH_S3_ENDPOINT", "gateway")):
        for address in told[setting].split(","):
            if int(address.rsplit(":", 1)[1]) not in reached.get(kind, set()):
                found.append(f"{setting}: no policy lets the {kind} out to {address}")
    # 4317: a collector of traces, by OTLP.
    wanted = {"directory": {7100, 5432, 6379, 4317}, "router": {7100, 5432, 6379, 4317}, "gateway": {7100, 6379, 4317}, "report": {7100, 5432, 4317}}
    found += [f"no policy lets the {kind} out to {sorted(ports - reached.get(kind, set()))}" for kind, ports in wanted.items() if ports - reached.get(kind, set())]
    return found


def kinds_of(selector, sources):
    kinds = set(sources.binaries)
    if "app.kubernetes.io/component" in selector.get("matchLabels", {}):
        kinds &= {selector["matchLabels"]["app.kubernetes.io/component"]}
    for expression in selector.get("matchExpressions", []):
        kinds &= set(expression["values"])
    return kinds


def scaling(objects, works, sources):
    found = []
    for item in (item for item in objects if item["kind"] == "HorizontalPodAutoscaler"):
        name, target = item["metadata"]["name"], item["spec"]["scaleTargetRef"]
        meant = [w for w in works if (w["kind"], w["metadata"]["name"]) == (target["kind"], target["name"])]
        if not meant or "replicas" in meant[0]["spec"]:
            found.append(f"HorizontalPodAutoscaler {name}: its target is not there, or says how many it wants to be")
        for metric in item["spec"]["metrics"]:
            asked = metric.get("pods", {}).get("metric", {}).get("name")
            if asked and sources.metrics.get(asked, ("",))[0] != "gauge":
                found.append(f"HorizontalPodAutoscaler {name}: {asked} is no gauge that is exported")
    return found


def capacity(objects, deploy):
    """The capacity model speaks of the pods that production has."""
    rows = re.findall(r"(?m)^\| (\w+) \| ([\d.]+) \|", (deploy / "capacity/inputs.md").read_text())
    figures, found = {name: float(value) for name, value in rows}, []
    for kind, binary in (("Deployment", "gateway"), ("StatefulSet", "router"), ("Deployment", "directory")):
        asked = manifests.containers(manifests.find(objects, kind, f"mynah-{binary}"))[0]["resources"]["requests"]["cpu"]
        if float(asked) != figures[f"{binary}_cores"]:
            found.append(f"a {binary} asks for {asked} cores, the capacity model says {figures[f'{binary}_cores']}")
    metrics = manifests.find(objects, "HorizontalPodAutoscaler", "mynah-gateway")["spec"]["metrics"]
    aims = [metric["pods"]["target"]["averageValue"] for metric in metrics if metric["type"] == "Pods"]
    if [float(aim) for aim in aims] != [figures["gateway_devices"]]:
        found.append(f"the autoscaler aims at {aims} devices, the capacity model says {figures['gateway_devices']}")
    return found


def ingress(objects):
    found = []
    for item in (item for item in objects if item["kind"] == "Ingress"):
        notes = item["metadata"]["annotations"]
        for what in ("read", "send"):
            # A gateway bears silence for 2.5 pings of 30 s; the proxy must not be the first to lose patience.
            if int(notes.get(f"nginx.ingress.kubernetes.io/proxy-{what}-timeout", 60)) <= 75:
                found.append(f"Ingress: proxy-{what}-timeout ends connections of silent devices")
        for rule in item["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                service = manifests.find(objects, "Service", backend["name"])
                if backend["port"]["name"] not in [port["name"] for port in service["spec"]["ports"]]:
                    found.append(f"Ingress: {backend['name']} has no port {backend['port']['name']}")
    return found


def grace(works, told, sources):
    """A gateway has the time that its settings promise to uploads and devices."""
    pod = next(w for w in works if component(w) == "gateway")["spec"]["template"]["spec"]
    value = lambda name: int(told.get(name, sources.settings[name]))
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed = pause + value("MYNAH_UPLOAD_SECONDS") + value("MYNAH_DRAIN_SPREAD_MS") / 1000 + DRAIN_SECONDS
    given = pod["terminationGracePeriodSeconds"]
    found = [] if given >= needed else [f"a gateway may need {needed:.0f} s to end, and is given {given}"]
    if value("MYNAH_CONNECTIONS") <= value("MYNAH_DEVICE_CONNECTIONS"):
        found.append("devices may take every connection: none is left for REST")
    return found


def secrets(works, deploy, whole=True):
    """What is referred to is what the example has."""
    shown = {s["metadata"]["name"]: set(s.get("stringData", {})) | set(s.get("data", {})) for s in manifests.load(deploy / "secrets.example.yaml")}
    used = {}
    for item in works:
        for container in manifests.containers(item):
            for variable in container["env"]:
                if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                    used.setdefault(reference["name"], set()).add(reference["key"])
        for volume in item["spec"]["template"]["spec"].get("volumes", []):
            used.setdefault(volume["secret"]["secretName"], set()).update(part["key"] for part in volume["secret"]["items"])
    fits = shown == used if whole else all(keys <= shown.get(name, set()) for name, keys in used.items())
    found = [] if fits else [f"secrets.example.yaml shows {shown}, the manifests refer to {used}"]
    for secret in manifests.load(deploy / "secrets.example.yaml") if whole else []:
        found += schemas([secret])
        if any(len(base64.b64decode(value)) != 32 for value in secret.get("data", {}).values()):
            found.append("secrets.example.yaml: the key is not of 32 bytes")
    return found
