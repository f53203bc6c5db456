#!/usr/bin/env python3
"""What tools/quickstart shows once everything is built: the sample county at work, or in captures."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import quickstart_live
import quickstart_replay
from namespaces import Failed, end_cleanly_on_signals
from words import Words


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--lang", choices=("en", "zh"), default="en")
    parser.add_argument("--driver", choices=("auto", "af_xdp", "af_packet"), default="auto")
    arguments = parser.parse_args()
    words = Words(arguments.lang)
    build = arguments.build.resolve()
    end_cleanly_on_signals()
    try:
        if os.geteuid() != 0:
            return quickstart_replay.show(build, words)
        if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode != 0:
            words.say("Network namespaces are not allowed here (a container without CAP_SYS_ADMIN?).",
                      "此处不允许建立网络命名空间（容器缺少 CAP_SYS_ADMIN？）。")
            return quickstart_replay.show(build, words)
        return quickstart_live.show(build, words, arguments.driver)
    except KeyboardInterrupt:
        print(words("\nInterrupted; everything has been taken away again.", "\n已中断，现场已全部清理。"))
        return 130
    except Failed as failed:
        print(words(f"quickstart: error: {failed}", f"quickstart：错误：{failed}"), file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
