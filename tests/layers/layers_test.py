#!/usr/bin/env python3
"""The layer test finds what it is for: each case plants one violation in a tree that has none."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import layers

SOUND = {
    "dataplane/base/result.h": "#pragma once\n#include <expected>\n",
    "dataplane/net/wire.h": '#pragma once\n#include "dataplane/base/result.h"\n',
    "dataplane/fastpath/decide.cc": '#include "dataplane/net/wire.h"\n#include <cstdint>\n',
    "dataplane/fastpath/decide_test.cc": "#include <boost/test/unit_test.hpp>\n#include <chrono>\n",
    "dataplane/channel/channel.h": '#pragma once\n#include "dataplane/net/wire.h"\n',
    "dataplane/runtime/port.cc": '#include <rte_ethdev.h>\n#include "dataplane/channel/channel.h"\n',
    "dataplane/runtime/meson.build": "dpdk_dep = dependency('libdpdk')\n",
    "controlplane/policy/model.h": '#pragma once\n#include "dataplane/base/result.h"\n',
    "controlplane/policy/toml_reader.cc": "#include <toml++/toml.h>\n",
    "controlplane/analysis/explain.h": '#pragma once\n#include "controlplane/policy/model.h"\n',
    "controlplane/store/sqlite.cc": "#include <sqlite3.h>\n",
    "controlplane/daemon/main.cc": '#include <CLI/CLI.hpp>\n#include "dataplane/channel/channel.h"\n',
    "tools/cli/main.cc": '#include "controlplane/analysis/explain.h"\n',
    "tools/long": "#!/bin/sh\n" + "true\n" * 400,
    "HACKING.md": "## Files over 400 lines\n\n| `tools/long` | a list of cases |\n## Next\n",
}

# Name of the case, file, its text, and what the message must say.
PLANTED = (
    ("net sees image", "dataplane/net/wire.h", '#pragma once\n#include "dataplane/image/f.h"\n', "may not see"),
    ("fast path sees runtime", "dataplane/fastpath/x.cc", '#include "dataplane/runtime/f.h"\n', "may not see"),
    ("fast path sees channel", "dataplane/fastpath/x.cc", '#include "dataplane/channel/channel.h"\n',
     "may not see"),
    ("fast path sees policy", "dataplane/fastpath/x.cc", '#include "controlplane/policy/model.h"\n',
     "may not see"),
    ("channel sees runtime", "dataplane/channel/x.cc", '#include "dataplane/runtime/f.h"\n', "may not see"),
    ("policy sees analysis", "controlplane/policy/x.cc", '#include "controlplane/analysis/explain.h"\n',
     "may not see"),
    ("policy sees the channel", "controlplane/policy/x.cc", '#include "dataplane/channel/channel.h"\n',
     "may not see"),
    ("report sees lifecycle", "controlplane/report/x.cc", '#include "controlplane/lifecycle/f.h"\n',
     "may not see"),
    ("daemon sees runtime", "controlplane/daemon/x.cc", '#include "dataplane/runtime/f.h"\n', "may not see"),
    ("command line sees daemon", "tools/cli/x.cc", '#include "controlplane/daemon/f.h"\n', "may not see"),
    ("a test sees too much", "dataplane/net/x_test.cc", '#include "dataplane/fastpath/f.h"\n', "may not see"),
    ("relative path", "dataplane/net/x.cc", '#include "wire.h"\n', "no path from the top"),
    ("ours in angle brackets", "dataplane/net/x.cc", "#include <dataplane/base/result.h>\n", "is ours"),
    ("a test in the product", "dataplane/net/x.cc", '#include "dataplane/net/f_test.h"\n', "is a test's"),
    ("DPDK in the fast path", "dataplane/fastpath/x.cc", "#include <rte_mbuf.h>\n", "DPDK"),
    ("DPDK in the channel", "dataplane/channel/x.h", "#pragma once\n# include  <rte_ring.h>\n", "DPDK"),
    ("a second file with toml++", "controlplane/policy/x.cc", "#include <toml++/toml.h>\n", "toml++"),
    ("SQL outside the store", "controlplane/report/x.cc", "#include <sqlite3.h>\n", "SQL"),
    ("TLS in the policy", "controlplane/policy/x.cc", "#include <openssl/ssl.h>\n", "TLS"),
    ("HTTP in the command line", "tools/cli/x.cc", "#include <boost/beast.hpp>\n", "TLS"),
    ("netlink outside host", "controlplane/daemon/x.cc", "#include <libnftnl/rule.h>\n", "netlink"),
    ("Boost.Test in the product", "tools/cli/x.cc", "#include <boost/test/unit_test.hpp>\n", "Boost.Test"),
    ("a clock in the fast path", "dataplane/fastpath/x.h", "#pragma once\n#include <chrono>\n", "no clock"),
    ("a lock in the image", "dataplane/image/x.cc", "#include <mutex>\n", "no lock"),
    ("output in the parser", "dataplane/net/x.cc", "#include <cstdio>\n", "no I/O"),
    ("before main", "controlplane/policy/x.cc", "__attribute__((constructor)) void f() {}\n", "before"),
    ("registration", "dataplane/runtime/x.cc", "RTE_INIT(start) {}\n", "registers"),
    ("knows of tests", "dataplane/net/x.cc", "#ifdef MEIGUAN_TESTING\n#endif\n", "tested"),
    ("no pragma once", "dataplane/net/x.h", "int f();\n", "#pragma once"),
    ("DPDK's path for all", "dataplane/meson.build", "d = dependency('libdpdk')\n", "DPDK"),
    ("too long", "dataplane/net/x.cc", "int x;\n" * 401, "401 lines"),
    ("a reason that is no longer needed", "tools/long", "#!/bin/sh\n", "needs no reason"),
    ("a reason for no file", "HACKING.md",
     "## Files over 400 lines\n| `tools/long` | a list |\n| `gone.cc` | was long |\n", "does not exist"),
    ("a reason without words", "HACKING.md", "## Files over 400 lines\n| `tools/long` | |\n", "401 lines"),
)
# What the planted lines point at.
POINTED_AT = ("dataplane/image/f.h", "dataplane/runtime/f.h", "dataplane/fastpath/f.h",
              "controlplane/lifecycle/f.h", "controlplane/daemon/f.h", "dataplane/net/f_test.h")


class LayersTest(unittest.TestCase):
    def messages(self, **planted: str) -> list[str]:
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            tree = {**SOUND, **{name: "#pragma once\n" for name in POINTED_AT}, **planted}
            for name, text in tree.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return [str(v) for v in layers.check(root)]

    def test_sound_tree_has_no_violation(self) -> None:
        self.assertEqual(self.messages(), [])

    def test_planted_violation_is_found(self) -> None:
        for case, file, text, want in PLANTED:
            with self.subTest(case):
                got = self.messages(**{file: text})
                self.assertEqual(len(got), 1, got)
                self.assertIn(want, got[0])

    def test_every_library_of_this_tree_is_known(self) -> None:
        root = Path(__file__).resolve().parents[2]
        for path in [*root.glob("dataplane/*/*.h"), *root.glob("controlplane/*/*.h")]:
            self.assertIsNotNone(layers.library_of(path.relative_to(root).as_posix()), path)


if __name__ == "__main__":
    unittest.main()
