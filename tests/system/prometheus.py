"""A real Prometheus that scrapes a gateway, and promtool, which judges what it would scrape."""

from __future__ import annotations

import json
import subprocess
from typing import Any
from urllib.parse import quote

from lab import Bench, same, wait_until

METRICS, PROMETHEUS = 9469, 9090


class Prometheus:
    def __init__(self, bench: Bench) -> None:
        self.where = bench.county.gateway
        directory = bench.lab.directory
        (directory / "prometheus.yml").write_text(
            "scrape_configs:\n- job_name: meiguan\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  static_configs:\n"
            f'  - targets: ["127.0.0.1:{METRICS}"]\n', encoding="utf-8")
        self.process = self.where.start(
            "prometheus", "prometheus", f"--config.file={directory}/prometheus.yml",
            f"--storage.tsdb.path={directory}/prometheus", f"--web.listen-address=127.0.0.1:{PROMETHEUS}")

    def curl(self, *words: str) -> str:
        done = self.where.run("curl", "--silent", "--show-error", "--max-time", "5", *words)
        return done.stdout

    def query(self, what: str) -> list[dict[str, Any]]:
        """The latest sample of each series; none while it does not answer."""
        answer = self.curl(f"http://127.0.0.1:{PROMETHEUS}/api/v1/query?query={quote(what)}")
        return json.loads(answer)["data"]["result"] if answer.startswith("{") else []

    def values(self, metric: str, label: str) -> dict[str, int]:
        return {row["metric"][label]: int(float(row["value"][1])) for row in self.query(metric)}

    def await_value(self, metric: str, value: int) -> None:
        def there() -> bool:
            rows = self.query(metric)
            return len(rows) == 1 and float(rows[0]["value"][1]) == value

        wait_until(there, f"{metric} is {value}", 20)

    def check(self) -> None:
        """promtool finds nothing to say of the text."""
        text = self.curl(f"http://127.0.0.1:{METRICS}/metrics")
        done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, timeout=20)
        same((done.returncode, done.stdout + done.stderr), (0, ""), "promtool")
