"""Alerts, dashboard, and what the documents name: each metric, label and setting is one that there is."""

import json
import re

import promql_parser

import manifests

# By the scrape job (deploy/monitoring/scrape.yaml), and of each histogram's buckets.
LABELS = {"job", "namespace", "pod", "component", "le"}
# Metrics of others, with their labels.
OTHERS = {
    "up": set(),
    "kube_pod_status_ready": {"condition"},
    "kube_horizontalpodautoscaler_status_current_replicas": {"horizontalpodautoscaler"},
    "kube_horizontalpodautoscaler_spec_max_replicas": {"horizontalpodautoscaler"},
    "kubelet_volume_stats_available_bytes": {"persistentvolumeclaim"},
    "kubelet_volume_stats_capacity_bytes": {"persistentvolumeclaim"},
}
COUNTED = {"rate", "increase", "irate"}


def problems(deploy, sources):
    return alerts(deploy, sources) + dashboard(deploy, sources) + adapter(deploy, sources) + documents(deploy, sources)


def query(text, sources):
    """What is wrong with a query."""
    text = text.replace("$__rate_interval", "5m").replace("$namespace", "mynah")
    try:
        tree = promql_parser.parse(text)
    except ValueError as error:
        return [f"{text}: {error}"]
    found, labels = [], set()
    for node, call in nodes(tree):
        if isinstance(node, promql_parser.VectorSelector):
            found += name(node, call, sources, labels)
    grouped = {label for part in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", text) for label in re.split(r"[,\s]+", part) if label}
    found += [f"no metric of it has the label {label}" for label in sorted(grouped - labels - LABELS)]
    return [f"{problem}: {text}" for problem in found]


def nodes(node, call=None):
    """Each node, with the function that it is given to."""
    yield node, call
    if isinstance(node, promql_parser.Call):
        for argument in node.args:
            yield from nodes(argument, node.func.name)
    elif isinstance(node, promql_parser.BinaryExpr):
        yield from nodes(node.lhs)
        yield from nodes(node.rhs)
    elif isinstance(node, promql_parser.MatrixSelector):
        yield from nodes(node.vector_selector, call)
    elif isinstance(node, (promql_parser.AggregateExpr, promql_parser.ParenExpr, promql_parser.UnaryExpr, promql_parser.SubqueryExpr)):
        yield from nodes(node.expr, call if isinstance(node, promql_parser.ParenExpr) else None)


def name(node, call, sources, labels):
    kind, known = sources.metrics.get(node.name, ("other", OTHERS.get(node.name)))
    if known is None:
        return [f"{node.name} is not exported"]
    labels |= known
    found = [f"{node.name} has no label {m.name}" for m in node.matchers.matchers if m.name not in known | LABELS]
    if call in COUNTED and kind == "gauge":
        found.append(f"{node.name} is a gauge, and has no {call}")
    return found


def alerts(deploy, sources):
    found, names = [], []
    for group in manifests.load(deploy / "monitoring/alerts.yaml")[0]["groups"]:
        for rule in group["rules"]:
            names.append(rule["alert"])
            found += query(rule["expr"], sources)
            if rule["annotations"]["runbook"] != f"deploy/RUNBOOK.md#{rule['alert'].lower()}":
                found.append(f"{rule['alert']}: its runbook is elsewhere")
            if "shards_owned" in rule["expr"] and not rule["expr"].endswith(f"< {sources.shards}"):
                found.append(f"{rule['alert']}: there are {sources.shards} shards")
    explained = re.findall(r"(?m)^### (Mynah\w+)$", (deploy / "RUNBOOK.md").read_text())
    found += [f"RUNBOOK.md does not explain {missing}" for missing in sorted(set(names) - set(explained))]
    found += [f"RUNBOOK.md explains {extra}, which no rule raises" for extra in sorted(set(explained) - set(names))]
    return [f"alerts: {problem}" for problem in found]


def dashboard(deploy, sources):
    panels, found = json.loads((deploy / "monitoring/dashboard.json").read_text())["panels"], []
    numbers = [panel["id"] for panel in panels]
    if len(set(numbers)) != len(numbers):
        found.append("two panels have one id")
    for panel in panels:
        for target in panel.get("targets", []):
            found += query(target["expr"], sources)
            named = re.findall(r"{{(\w+)}}", target["legendFormat"])
            found += [f"{panel['title']}: the legend's {label} is not in its query" for label in named if label not in target["expr"]]
    return [f"dashboard: {problem}" for problem in found]


def adapter(deploy, sources):
    rules = manifests.load(deploy / "monitoring/adapter.yaml")[0]["rules"]["custom"]
    named = {m for rule in rules for m in re.findall(r"\bmynah_\w+", json.dumps(rule))}
    return [f"adapter: {metric} is not exported" for metric in sorted(named) if metric not in sources.metrics]


def documents(deploy, sources):
    """Settings and metrics that the documents name."""
    found = []
    for path in sorted(deploy.rglob("*.md")):
        text = path.read_text()
        for setting in re.findall(r"\bMYNAH_[A-Z0-9_]+\b", text):
            if setting not in sources.settings and setting != "MYNAH_CONFIG":
                found.append(f"{path.name}: {setting} is no setting")
        for metric in re.findall(r"\bmynah_\w+_(?:total|seconds|records)\b", text):
            if metric not in sources.metrics and metric + "_sum" not in sources.metrics:
                found.append(f"{path.name}: {metric} is not exported")
    return found
