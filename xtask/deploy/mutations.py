"""Proves that the check can fail: each of these errors, made in a copy of deploy/, is found. Usage: mutations.py ROOT"""

import shutil
import sys
import tempfile
from pathlib import Path

import check
from sources import Sources

# File in deploy/, what it says, what it says wrongly, what the check has to tell of it.
MUTATIONS = [
    ("base/settings.env", "MYNAH_LOG=", "MYNAH_LOGS=", "MYNAH_LOGS is no setting"),
    ("base/settings.env", "MYNAH_ROUTERS=mynah-router:7100", "MYNAH_ROUTERS=mynah-gateway:7100", "no headless Service of the router"),
    ("base/settings.env", "MYNAH_OPS_LISTEN=0.0.0.0:9180", "MYNAH_OPS_LISTEN=0.0.0.0:9181", "port ops is 9180"),
    ("base/settings.env", "MYNAH_S3_ENDPOINT=http://s3:9000", "MYNAH_S3_ENDPOINT=http://s3:9001", "no policy lets the gateway out"),
    ("base/settings.env", "MYNAH_UPLOAD_SECONDS=120", "MYNAH_UPLOAD_SECONDS=600", "a gateway may need"),
    ("base/gateway.yaml", "path: /readyz", "path: /ready", "readinessProbe asks for /ready"),
    ("base/gateway.yaml", "terminationGracePeriodSeconds: 180", "terminationGracePeriodSeconds: 60", "a gateway may need"),
    ("base/gateway.yaml", "containerPort: 7100", "containerPort: 7101", "port grpc is 7101"),
    ("base/gateway.yaml", "name: MYNAH_REDIS", "name: MYNAH_REDDIS", "MYNAH_REDDIS is no setting"),
    ("base/gateway.yaml", "maxSurge: 25%", "maxSurges: 25%", "1.37.0"),
    ("base/gateway.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "may write to its root file system"),
    ("base/router.yaml", "name: MYNAH_NAME", "name: MYNAH_PREFIX", "MYNAH_NAME must be set"),
    ("base/router.yaml", 'value: "$(POD_IP)', 'value: "$(HOST_IP)', "HOST_IP is not there"),
    ("base/router.yaml", "clusterIP: None", "type: ClusterIP", "serviceName means no headless Service"),
    ("base/router.yaml", "image: mynah-router", "image: mynah-roter", "no container has the image mynah-router"),
    ("base/directory.yaml", "mountPath: /run/mynah\n", "mountPath: /run/other\n", "the secret key's file is not"),
    ("base/report.yaml", "mountPath: /run/mynah-engines", "mountPath: /run/engines", "the engines' authorities are not"),
    ("base/router.yaml", "name: MYNAH_KAFKA_USER", "name: MYNAH_S3_REGION", "it cannot log in to Kafka"),
    ("base/network.yaml", "values: [gateway, directory, router]\n  policyTypes: [Egress]\n  egress:\n    - ports:\n        - protocol: TCP\n          port: 9092", "values: [router]\n  policyTypes: [Egress]\n  egress:\n    - ports:\n        - protocol: TCP\n          port: 9092", "no policy lets the directory out to kafka"),
    ("base/directory.yaml", "key: directory_database", "key: database", "the manifests refer to"),
    ("base/budgets.yaml", "component: router\n    app", "component: routers\n    app", "PodDisruptionBudget mynah-router"),
    ("base/network.yaml", "port: 4317", "port: 4318", "no policy lets the router out to [4317]"),
    ("base/network.yaml", "port: 8080", "port: 8081", "is none of ours"),
    ("base/ingress.yaml", 'read-timeout: "3600"', 'read-timeout: "60"', "ends connections of silent devices"),
    ("base/ingress.yaml", "name: http", "name: https", "has no port https"),
    ("base/kustomization.yaml", "  - budgets.yaml\n", "", "budgets.yaml: no kustomization names it"),
    ("overlays/production/router.yaml", "path: /spec/replicas", "path: /spec/replica", "there is no /spec/replica"),
    ("overlays/production/autoscaling.yaml", "name: mynah_device_connections", "name: mynah_connections", "is no gauge that is exported"),
    ("overlays/production/gateway.yaml", "- op: remove\n  path: /spec/replicas\n", "", "says how many it wants to be"),
    ("overlays/production/autoscaling.yaml", '"33000"', '"44000"', "the autoscaler aims at"),
    ("capacity/inputs.md", "| router_cores | 4 |", "| router_cores | 8 |", "a router asks for 4 cores"),
    ("migrate/job.yaml", "name: MYNAH_DIRECTORY_DATABASE", "name: MYNAH_REDIS", "MYNAH_DIRECTORY_DATABASE must be set"),
    ("migrate/job.yaml", "name: MYNAH_LOG_DATABASE", "name: MYNAH_REDIS", "MYNAH_LOG_DATABASE must be set"),
    ("Dockerfile", "USER 65532:65532", "USER mynah", "run as root"),
    ("Dockerfile", "mynah gateway directory router report;", "mynah gateway directory router;", "the build keeps"),
    ("Dockerfile", "--package mynah-cluster", "--package cluster", "there is no package cluster"),
    ("compose.env", "MYNAH_KAFKA=kafka", "MYNAH_KAFKA=broker", "there is no broker"),
    ("compose.yaml", "127.0.0.1:8080:8080", "8080:8080", "is not on loopback"),
    ("compose.yaml", "MYNAH_ADVERTISE: router:7100", "MYNAH_ADVERTISE: router:7000", "others do not reach it"),
    ("monitoring/alerts.yaml", "mynah_router_shards_owned", "mynah_shards_owned", "mynah_shards_owned is not exported"),
    ("monitoring/alerts.yaml", "shards_owned) < 256", "shards_owned) < 128", "there are 256 shards"),
    ("monitoring/alerts.yaml", "mynah_log_commit_seconds_bucket", "mynah_log_commit_seconds", "mynah_log_commit_seconds is not exported"),
    ("monitoring/alerts.yaml", "by (namespace, engine)", "by (namespace, machine)", "has the label machine"),
    ("monitoring/alerts.yaml", 'outcome="refused"', 'result="refused"', "has no label result"),
    ("monitoring/alerts.yaml", "alert: MynahRestSlow", "alert: MynahRestSlower", "RUNBOOK.md does not explain MynahRestSlower"),
    ("monitoring/dashboard.json", "rate(mynah_rest_requests_total", "rate((mynah_rest_requests_total", "dashboard"),
    ("monitoring/dashboard.json", "(mynah_router_actors", "(mynah_actors", "mynah_actors is not exported"),
    ("monitoring/adapter.yaml", "as: mynah_device_connections", "as: mynah_devices", "adapter: mynah_devices"),
    ("RUNBOOK.md", "MYNAH_DRAIN_SPREAD_MS", "MYNAH_DRAIN_MS", "MYNAH_DRAIN_MS is no setting"),
    ("secrets.example.yaml", "  redis:", "  reddis:", "the manifests refer to"),
]


def main():
    root, unseen = Path(sys.argv[1]).resolve(), []
    sources = Sources(root)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copy(root / ".dockerignore", copy)
        for file, right, wrong, told in MUTATIONS:
            shutil.copytree(root / "deploy", copy / "deploy", dirs_exist_ok=True)
            path = copy / "deploy" / file
            text = path.read_text()
            if right not in text:
                unseen.append(f"{file}: {right!r} is not there to be changed")
                continue
            path.write_text(text.replace(right, wrong, 1))
            found = check.problems(copy, sources, real=False)
            if not any(told in problem for problem in found):
                unseen.append(f"{file}: {wrong!r} instead of {right!r} is not found: {found}")
    for line in unseen:
        print(f"deploy: {line}", file=sys.stderr)
    print(f"deploy: {len(MUTATIONS) - len(unseen)} of {len(MUTATIONS)} made errors were found", file=sys.stderr)
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
