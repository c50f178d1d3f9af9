"""The images and the laptop's compose file: every binary, port and setting in them is one that there is."""

import re

import manifests


def problems(deploy, sources):
    return dockerfile(deploy, sources) + compose(deploy, sources)


def stages(deploy):
    """The Dockerfile's stages by name."""
    parts = re.split(r"(?m)^FROM \S+ AS (\w+)$", (deploy / "Dockerfile").read_text())
    return dict(zip(parts[1::2], parts[2::2]))


def dockerfile(deploy, sources):
    built, found = stages(deploy), []
    wanted = {"build", "base", "mynah", *sources.binaries}
    if set(built) != wanted:
        found.append(f"stages are {sorted(built)}, not {sorted(wanted)}")
        return [f"Dockerfile: {problem}" for problem in found]
    copied = set(re.search(r"for name in ([\w ]+);", built["build"])[1].split())
    if copied != wanted - {"build", "base"}:
        found.append(f"the build keeps {sorted(copied)}")
    found += [f"there is no package {name}" for name in re.findall(r"--package (\S+)", built["build"]) if name not in sources.packages]
    let_in = set(re.findall(r"(?m)^!(\S+)$", (deploy.parent / ".dockerignore").read_text()))
    found += [f"the build does not get {folder}" for folder in sorted(sources.folders | {"Cargo.toml", "Cargo.lock"}) if folder not in let_in]
    if not re.search(r"(?m)^USER [1-9]\d*:[1-9]\d*$", built["base"]):
        found.append("the images run as root, or as a user without a number")
    for name in wanted - {"build", "base"}:
        stage = built[name]
        if f'ENTRYPOINT ["/usr/local/bin/{name}"]' not in stage or f"/out/{name} /usr/local/bin/{name}" not in stage:
            found.append(f"the image {name} does not start it")
        ports = {"8080", "7100", "9180"} - ({"8080"} if name in ("directory", "router", "report") else set()) - ({"7100"} if name == "mynah" else set())
        if set(re.search(r"(?m)^EXPOSE (.*)$", stage)[1].split()) != ports:
            found.append(f"the image {name} does not expose {sorted(ports)}")
        known = sources.embedded if name == "mynah" else sources.settings
        found += [f"{setting} is no setting of {name}" for setting in re.findall(r"\b(MYNAH_\w+)=", stage) if setting not in known]
    return [f"Dockerfile: {problem}" for problem in found]


def compose(deploy, sources):
    said, built = manifests.load(deploy / "compose.yaml")[0], stages(deploy)
    told, found = manifests.settings(deploy / "compose.env"), []
    found += [f"{name} is no setting" for name in told if name not in sources.settings]
    services = said["services"]
    for name in sources.binaries:
        service = services.get(name)
        if service is None:
            found.append(f"there is no {name}")
            continue
        if service["build"]["target"] not in built or service["image"].split(":")[0] != f"mynah-{name}":
            found.append(f"{name} is built of another stage")
        own = service["environment"]
        found += [f"{setting} is no setting" for setting in own if setting not in sources.settings]
        found += [f"{name}: {setting} must be set" for setting in sorted(sources.required[name] - own.keys() - told.keys())]
        listen = {told[f"MYNAH_{kind}_LISTEN"].rsplit(":", 1)[1] for kind in ("HTTP", "OPS")}
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:") or port.rsplit(":", 1)[1] not in listen:
                found.append(f"{name}: {port} is not on loopback, or nobody listens there")
        if own["MYNAH_ADVERTISE"] != f"{name}:{told['MYNAH_GRPC_LISTEN'].rsplit(':', 1)[1]}":
            found.append(f"{name}: others do not reach it as {own['MYNAH_ADVERTISE']}")
    for setting in ("DIRECTORIES", "ROUTERS", "REPORTS", "DIRECTORY_DATABASE", "LOG_DATABASE", "REDIS", "KAFKA", "S3_ENDPOINT"):
        host = re.search(r"(?:@|//|^)([\w-]+):\d+", told[f"MYNAH_{setting}"].split("@")[-1])[1]
        if host not in services:
            found.append(f"MYNAH_{setting}: there is no {host}")
    return [f"compose: {problem}" for problem in found]
