"""The strict matrix through the running data plane: what it says, what leaves, what is counted and told."""

import random
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

from lab import BARE, ROOT, Bench, programs, same, test, true

sys.path.insert(0, str(ROOT / "tests"))
from strict import judge, kernel, live, mutated  # noqa: E402
from strict.case import STALE, Sent  # noqa: E402
from strict.differences import DIFFERENCES, base  # noqa: E402
from strict.leaving import is_own, leaving, without_port  # noqa: E402
from strict.table import BOUNDARY, CASES  # noqa: E402

AT_ONCE = [case for case in CASES if not case.timed]
LIMITS = {"flow-limit", "rate-limit", "half-open", "bandwidth-limit", "source-flows"}  # shared out among workers
SENT = [(case, sent) for case in AT_ONCE for sent in case.sent]


@cache
def seen(build: Path, workers: int = 1) -> live.Seen:
    """One run for all that is asked of it."""
    with tempfile.TemporaryDirectory() as directory:
        return live.run(build, AT_ONCE, Path(directory), workers)


@test(BARE)
def strict_matrix_live_and_replayed_agree(bench: Bench) -> None:
    """Every packet has the verdict, reason and out-port of the table, live as in replay."""
    said = seen(bench.build).said
    capture = bench.lab.directory / "strict.pcap"
    judge.write(capture, AT_ONCE)
    replayed = judge.replay(programs(bench.build)["meiguan"], capture)
    found = judge.differences(SENT, said, "live") + judge.differences(SENT, replayed, "replay")
    true(not found, "\n".join([f"{len(found)} differ", *found[:20]]))


@test(BARE)
def strict_boundary_live_and_replayed_agree(bench: Bench) -> None:
    """Translations and limits: said live as in replay, and byte for byte what leaves."""
    with tempfile.TemporaryDirectory() as directory:
        found = live.run(bench.build, BOUNDARY, Path(directory), world=judge.BOUNDARY)
    every = [(case, sent) for case in BOUNDARY for sent in case.sent]
    capture = bench.lab.directory / "boundary.pcap"
    judge.write(capture, BOUNDARY)
    replayed = judge.replay(programs(bench.build)["meiguan"], capture, world=judge.BOUNDARY)
    differ = judge.differences(every, found.said, "live") + judge.differences(every, replayed, "replay")
    true(not differ, "\n".join([f"{len(differ)} differ", *differ[:20]]))
    unlike(found.sent, [sent for _, sent in every], "frames that left otherwise")


@test(BARE)
def strict_translation_with_two_workers(bench: Bench) -> None:
    """Whatever a translation does to addresses and ports, both directions of a flow have one owner."""
    # A pool of one block is one worker's, and the other's hosts get none of it.
    cases = [case for case in BOUNDARY if all(sent.reason not in LIMITS for sent in case.sent)
             and not case.name.startswith("filtering-")]
    with tempfile.TemporaryDirectory() as directory:
        found = live.run(bench.build, cases, Path(directory), workers=2, world=judge.BOUNDARY)
    unlike(found.sent, [sent for case in cases for sent in case.sent], "frames that left otherwise")


def unlike(out: list[bytes], sent: list[Sent], what: str) -> None:
    wanted = Counter(leaving(s) for s in sent if s.verdict == "forward")
    left = Counter(without_port(f) for f in out if not is_own(f))
    same([f"too few: {f.hex()}" for f in wanted - left] + [f"too many: {f.hex()}" for f in left - wanted], [], what)


@test(BARE)
def forwarded_frames_hold_nothing_stale(bench: Bench) -> None:
    """FDP_RIP.2: what leaves is the packet alone, no padding of the frame that it came in and no rest of a buffer."""
    out = seen(bench.build).sent
    wanted = sorted(leaving(sent) for _, sent in SENT if sent.verdict == "forward")
    forwarded = sorted(f for f in out if not is_own(f))
    differ = [f"{n}: {got.hex()}, want {want.hex()}" for n, (got, want) in enumerate(zip(forwarded, wanted))
              if got != want]
    true(not differ, "\n".join([f"{len(differ)} of {len(wanted)} frames", *differ[:5]]))
    same(len(forwarded), len(wanted), "forwarded frames")
    own = [f for f in out if is_own(f)]
    true(own, "the gateway answered something")
    true(not [f.hex() for f in own if STALE * 2 in f], "a frame of the gateway's own holds a sender's padding")


@test(BARE)
def strict_matrix_with_two_workers(bench: Bench) -> None:
    """However packets are handed from worker to worker, as many end for each reason, and the same ones leave."""
    one, two = seen(bench.build), seen(bench.build, 2)
    same(dict(two.counted), dict(one.counted), "packets by reason")
    same(Counter(f for f in two.sent if not is_own(f)) - Counter(f for f in one.sent if not is_own(f)), Counter(),
         "frames that one worker does not let out")
    same(len([f for f in two.sent if not is_own(f)]), len([f for f in one.sent if not is_own(f)]), "frames")
    same(two.lost, 0, "events lost")


@test(BARE)
def mutated_frames_live_and_replayed_agree(bench: Bench) -> None:
    """On frames with bytes changed at random both say the same, and what is forwarded leaves as it should."""
    seed = random.randrange(1 << 32)
    capture, meiguan = bench.lab.directory / "mutated.pcap", programs(bench.build)["meiguan"]
    whose = judge.write(capture, mutated.cases(seed, 4000))
    # A fragment's fate may hang on time.
    kept = [case for (case, _), said in zip(whose, judge.replay(meiguan, capture), strict=True)
            if not said.reason.startswith("fragment-")]
    judge.write(capture, kept)
    replayed = judge.replay(meiguan, capture)
    with tempfile.TemporaryDirectory() as directory:
        live_ = live.run(bench.build, kept, Path(directory))
    differ = [f"{case.name}: live {got}, replayed {want}: {case.sent[0].frame.hex()}"
              for case, got, want in zip(kept, live_.said, replayed, strict=True) if got != want]
    true(not differ, "\n".join([f"seed {seed}: {len(differ)} of {len(kept)} differ", *differ[:5]]))
    wanted = Counter(leaving(replace(case.sent[0], out=said.out))
                     for case, said in zip(kept, replayed) if said.verdict == "forward")
    forwarded = Counter(f for f in live_.sent if not is_own(f))
    same([f.hex() for f in (forwarded - wanted) + (wanted - forwarded)], [], f"seed {seed}: frames that left otherwise")
    true(sum(wanted.values()) > 100 and len(set(said.reason for said in replayed)) > 15, f"seed {seed}: many kinds")


@test(BARE)
def every_drop_is_counted_and_told(bench: Bench) -> None:
    """Counters by reason are the packets sent; denial events, at their limited rate, account for all of them."""
    found = seen(bench.build)
    wanted = Counter(sent.reason for _, sent in SENT)
    wanted["frame-type"] += len(live.LEAD)
    same(dict(found.counted), dict(wanted), "packets by reason")
    dropped = Counter(sent.reason for _, sent in SENT if sent.verdict == "drop")
    dropped["frame-type"] += len(live.LEAD)
    same(dict(found.told), dict(dropped), "packets that denial events account for")
    true(sum(found.events.values()) < sum(dropped.values()), "some events were summed up")
    same(found.lost, 0, "events lost")


@test(BARE)
def strict_matrix_beside_the_kernel(bench: Bench) -> None:
    """nftables ends every packet as we do, but for the differences that STRICT.md lists with their reasons."""
    beside = kernel.Kernel(bench.lab)
    try:
        beside.build()
        found = kernel.compare(beside, AT_ONCE)
    finally:
        beside.close()
    listed = {name: difference.kernel for name, difference in DIFFERENCES.items()}
    unlisted = {name: did for name, did in found.items() if listed.get(base(name)) != did}
    same(unlisted, {}, "differences from the kernel that are not listed")
