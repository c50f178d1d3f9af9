"""Holds deploy/ against the Kubernetes schemas and against the sources. Usage: check.py ROOT"""

import sys
from pathlib import Path

import cluster
import manifests
import monitoring
import packages
from sources import Sources

OVERLAYS = ("small", "production")


def problems(root, sources, real=True):
    """Everything that is wrong, a line each. `real`: ask real kustomizes too, where there are any."""
    root = Path(root).resolve()
    deploy, used = root / "deploy", set()
    found = []
    for name in OVERLAYS:
        try:
            built = manifests.build(deploy / "overlays" / name, used)
            found += [f"{name}: {problem}" for problem in cluster.problems(built, sources, deploy)]
            found += cluster.capacity(built, deploy) if name == "production" else []
            found += compared(deploy / "overlays" / name, built) if real else []
        except (ValueError, KeyError) as error:
            found.append(f"{name}: {error!r}")
    try:
        job = manifests.build(deploy / "migrate", used)
        found += [f"migrate: {problem}" for problem in cluster.job_problems(job, sources, deploy)]
        found += compared(deploy / "migrate", job) if real else []
    except (ValueError, KeyError) as error:
        found.append(f"migrate: {error!r}")
    for folder in ("base", "overlays", "migrate"):
        unused = {path for path in (deploy / folder).rglob("*") if path.is_file()} - used
        found += [f"{path.relative_to(root)}: no kustomization names it" for path in sorted(unused)]
    found += packages.problems(deploy, sources)
    found += monitoring.problems(deploy, sources)
    return found


def compared(folder, ours):
    """Whether real kustomizes give the same."""
    found = []
    for tool in manifests.tools():
        theirs, mine = manifests.by_name(manifests.built_by(tool, folder)), manifests.by_name(ours)
        differing = [name for name in sorted(theirs.keys() | mine.keys()) if theirs.get(name) != mine.get(name)]
        found += [f"{folder.name}: {' '.join(tool)} gives another {name}" for name in differing]
    return found


def main():
    found = problems(sys.argv[1], Sources(sys.argv[1]))
    for problem in found:
        print(f"deploy: {problem}", file=sys.stderr)
    names = [" ".join(tool) for tool in manifests.tools()]
    told = "compared with " + " and ".join(names) if names else "kustomize is not here: read by this check alone"
    print(f"deploy: {len(found)} problems; {told}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
