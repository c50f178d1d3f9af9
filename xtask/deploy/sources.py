"""What the sources say of themselves, read by text: settings, ports, paths, required settings, metrics."""

import re
from pathlib import Path


def code(path):
    """A file's text without its tests."""
    return path.read_text().split("#[cfg(test)]")[0]


class Sources:
    def __init__(self, root):
        self.root = Path(root)
        product = self.table("crates/settings/src/lib.rs")
        self.settings = product | self.table("services/cluster/src/settings.rs")
        self.embedded = product | self.table("services/mynah/src/settings.rs")
        members = re.search(r"members = \[(.*?)\]", (self.root / "Cargo.toml").read_text(), re.S)[1]
        paths = re.findall(r'"([^"]+)"', members)
        self.folders = {path.split("/")[0] for path in paths}
        self.packages = {re.search(r'name = "([\w-]+)"', (self.root / path / "Cargo.toml").read_text())[1] for path in paths}
        cluster = (self.root / "services/cluster/Cargo.toml").read_text()
        self.binaries = re.findall(r'\[\[bin\]\]\s*name = "(\w+)"', cluster)
        self.required = {name: self.needs(name) for name in self.binaries}
        self.ops_paths = set(re.findall(r'\.route\("(/\w+)"', code(self.root / "crates/runtime/src/ops.rs")))
        shards = code(self.root / "crates/types/src/conversation.rs")
        self.shards = re.search(r"pub const SHARDS: u16 = (\d+);", shards)[1]
        self.metrics = self.exported()

    def table(self, path):
        """Names of settings, with the defaults that their help tells."""
        rows = re.findall(r'name: "(\w+)",\s*help: "([^"]*)"', code(self.root / path))
        return {"MYNAH_" + name.upper(): re.search(r"\[default: (.*)\]", text)[1] for name, text in rows}

    def needs(self, binary):
        """What a binary does not start without."""
        text = code(self.root / f"services/cluster/src/{binary}.rs")
        return {"MYNAH_" + name.upper() for name in re.findall(r'\("(\w+)", !settings', text)}

    def exported(self):
        """Each name as Prometheus shows it, with its labels."""
        found = {}
        for top in ("crates", "services"):
            for path in sorted((self.root / top).rglob("src/**/*.rs")):
                text = code(path)
                for call in re.finditer(r'\b(counter|gauge|histogram)!\(\s*"(\w+)"', text):
                    labels = set(re.findall(r'"(\w+)"\s*=>', arguments(text, call.end(2))))
                    # Every histogram has buckets (crates/runtime/src/ops.rs), and none of them is rendered under its bare name.
                    suffixes = ("_bucket", "_sum", "_count") if call[1] == "histogram" else ("",)
                    for suffix in suffixes:
                        known = found.setdefault(call[2] + suffix, (call[1], set()))
                        known[1].update(labels)
        return found


def arguments(text, start):
    """The rest of a macro's arguments."""
    depth = 1
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return text[start:at]
    return ""
