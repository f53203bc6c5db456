"""The administrative tree of jiangxi.tsv, words for what stands in it, and files of policy tables."""

import csv
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
DEPARTMENTS = [
    ("fgw", "发展改革委"), ("jyj", "教育体育局"), ("gxj", "工业和信息化局"), ("gaj", "公安局"),
    ("mzj", "民政局"), ("sfj", "司法局"), ("czj", "财政局"), ("rsj", "人力资源和社会保障局"),
    ("zrj", "自然资源局"), ("zjj", "住房和城乡建设局"), ("jtj", "交通运输局"), ("slj", "水利局"),
    ("nyj", "农业农村局"), ("swj", "商务局"), ("wgj", "文化广电旅游局"), ("wjw", "卫生健康委"),
    ("tyj", "退役军人事务局"), ("yjj", "应急管理局"), ("sjj", "审计局"), ("scj", "市场监督管理局"),
    ("tjj", "统计局"), ("ybj", "医疗保障局"), ("lyj", "林业局"), ("spj", "行政审批局"),
    ("xfj", "信访局"), ("swo", "税务局"), ("fy", "法院"), ("jcy", "检察院"),
]
LABELS = {
    "czj": "finance", "rsj": "social-security", "mzj": "civil-affairs", "yjj": "emergency",
    "spj": "approval", "wjw": "health", "jyj": "education", "lyj": "forestry", "nyj": "agriculture",
    "scj": "market", "swo": "tax", "zrj": "land",
}
TOWN_BODIES = [("dzb", "党政办公室"), ("bmfw", "便民服务中心"), ("wsy", "卫生院")]
TIERS = {"province": "province", "city": "prefecture", "county": "county", "zone": "county",
         "township": "township"}


def quoted(items):
    return "[" + ", ".join(f'"{i}"' for i in items) + "]"


class Raw(str):
    """A value that is written as it stands: a date, a time, a list of dates."""


class File:
    """One TOML file of a node, written when it is complete."""

    def __init__(self, path):
        self.path, self.lines = path, []

    def table(self, kind, /, **keys):
        self.lines.append(f"[[{kind}]]" if kind not in ("node", "policy") else f"[{kind}]")
        for key, value in keys.items():
            if isinstance(value, bool):
                text = "true" if value else "false"
            elif isinstance(value, int):
                text = str(value)
            elif isinstance(value, list):
                text = quoted(value)
            elif isinstance(value, Raw):
                text = value
            elif isinstance(value, dict):
                text = "{ " + ", ".join(f"{k} = {quoted(v)}" for k, v in value.items()) + " }"
            else:
                text = f'"{value}"'
            self.lines.append(f"{key} = {text}")
        self.lines.append("")

    def write(self):
        if self.lines:
            self.path.write_text("\n".join(self.lines), encoding="utf-8")


class Node:
    def __init__(self, row, parent):
        self.code, self.name, self.kind = row["code"], row["name_zh"], row["kind"]
        self.parent, self.children = parent, []
        self.units, self.services = [], []  # ids
        self.directory = None

    def file(self, name):
        return File(self.directory / name)


def read_tree(scale):
    rows = []
    with open(HERE / "jiangxi.tsv", encoding="utf-8") as f:
        for row in csv.DictReader(f, delimiter="\t"):
            row["kind"] = row.pop("tier")
            rows.append(row)
    nodes, share = {}, min(scale, 1.0)
    counts = {"county": 0, "township": 0}
    for row in rows:
        parent = nodes.get(row["parent_code"])
        if row["parent_code"] and parent is None:
            continue
        kind = "county" if row["kind"] == "zone" else row["kind"]
        if kind in counts and share < 1.0:
            counts[kind] += 1
            if kind == "county" and int(counts[kind] * share) == int((counts[kind] - 1) * share):
                continue
        node = Node(row, parent)
        nodes[node.code] = node
        if parent:
            parent.children.append(node)
    return next(iter(nodes.values()))
