"""Programs that end, by intention or not."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

from clients import curl, ping
from lab import BARE, Bench, DataPlane, Gateway, county, same, test, true, wait_until
from namespaces import NAMED, clear_leftovers

HUGE = Path("/dev/hugepages")


def start(bench: Bench, options: tuple[str, ...] = ()) -> Gateway:
    bench.county = county.County.build(bench.lab, hosts=("finance", "hrss", "province"))
    bench.county.serve()
    bench.gateway = bench.new_gateway(bench.policy, county.gateway_file(bench.lab, bench.driver))
    bench.gateway.options = options or bench.gateway.options
    bench.gateway.start()
    return bench.gateway


def huge_pages() -> tuple[str, ...]:
    """Options for huge pages where the machine has some free; else those of all the tests."""
    free = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
    return ("--memory", "512", "--flows", "65536") if free.exists() and int(free.read_text()) > 300 else ()


def left_behind(gateway: Gateway) -> set[str]:
    places = [gateway.run_dir, HUGE, Path("/run/dpdk"), Path("/var/run/dpdk")]
    found: set[str] = set()
    for place in places:
        with contextlib.suppress(OSError):
            found |= {str(path) for path in place.iterdir()}
    return found


@test(BARE)
def forwarding_goes_on_without_the_control_plane(bench: Bench) -> None:
    """Killed hard, controld is missed by nobody who sends packets; started again it takes over."""
    gateway = start(bench)
    same(curl(bench["finance"], "59.205.16.10", 443), "cloud", "before")
    with DataPlane(gateway.run_dir) as dataplane:
        was = dataplane.status()
    gateway.controld.stop(by=signal.SIGKILL)
    same(gateway.ask("status").returncode, 3, "meiguan status without a daemon")
    same(curl(bench["finance"], "59.205.16.10", 443), "cloud", "live and new flows, without a control plane")
    same(curl(bench["hrss"], "59.205.16.10", 443, 1.2), None, "what is denied stays denied")
    same(ping(bench["finance"], "59.205.16.3", count=3).received, 3, "ping")
    gateway.start_controld()
    gateway.await_image()
    with DataPlane(gateway.run_dir) as dataplane:
        same(dataplane.status().pid, was.pid, "the same data plane")
    same(curl(bench["finance"], "59.205.16.10", 443), "cloud", "with the new control plane")


@test(BARE)
def port_goes_away_and_comes_back(bench: Bench) -> None:
    """An interface is deleted under the data plane: others' ports go on, and it is taken again when it is back."""
    gateway = start(bench)
    same(curl(bench["finance"], "59.205.16.10", 443), "cloud", "before")
    with DataPlane(gateway.run_dir) as dataplane:
        pid = dataplane.status().pid
    bench["wan-cable"].ip("link del trunk")  # takes the peer's interface and the gateway's end with it
    wait_until(lambda: any(a["alarm"] == "port-gone" for a in gateway.json("status")["alarms"]), "the alarm", 5)
    same(ping(bench["finance"], "10.65.64.65").received, 3, "another port meanwhile")
    same(curl(bench["finance"], "59.205.16.10", 443, 1.2), None, "by the port that is gone")
    bench.lab.cable(bench.county.gateway, "veth-wan", bench["wan-cable"], "trunk")
    bench.county.gateway.wire_only("veth-wan")
    bench["wan-cable"].wire_only("trunk")
    host = county.HOSTS["province"]
    bench["wan-cable"].ip(f"link add link trunk name eth0 address {host.mac} netns {bench['province'].name} "
                          "type macvlan mode bridge")
    bench["province"].plain("eth0")
    bench["province"].ip("link set eth0 up", *(f"address add {a} dev eth0" + (" nodad" if ":" in a else "")
                                               for a in (*host.addresses, *host.more)),
                         *(f"route add default via {r} src {host.own(6 if ':' in r else 4)}" for r in host.routers))
    wait_until(lambda: curl(bench["finance"], "59.205.16.10", 443, 1) == "cloud", "forwarding by itself", 10)
    wait_until(lambda: all(a["alarm"] != "port-gone" for a in gateway.json("status")["alarms"]), "the alarm's end", 5)
    with DataPlane(gateway.run_dir) as dataplane:
        same(dataplane.status().pid, pid, "the same data plane")


@test(BARE)
def data_plane_ends_and_leaves_nothing(bench: Bench) -> None:
    """SIGTERM: it ends with 0, and its sockets and memory files are gone; nothing is forwarded then."""
    before = {str(path) for path in HUGE.iterdir()} if HUGE.is_dir() else set()
    gateway = start(bench, huge_pages())
    gateway.controld.stop()
    same(gateway.dataplane.stop(), 0, f"exit code: {gateway.dataplane.output()}")
    left = left_behind(gateway)
    same([path for path in left if path.startswith(str(gateway.run_dir)) and Path(path).is_socket()], [], "sockets")
    same([path for path in left if path.startswith(str(HUGE)) and path not in before], [], "huge page files")
    same([path for path in left if "meiguan" in Path(path).name and "/dpdk/" in path and
          str(gateway.dataplane.pid) in path], [], "DPDK's files")
    same(ping(bench["finance"], "59.205.16.3", count=1).received, 0, "nothing is forwarded")


@test(BARE)
def data_plane_starts_from_its_last_good_image(bench: Bench) -> None:
    """Without any control plane, the policy that was in force last is in force again."""
    gateway = start(bench)
    gateway.controld.stop()
    gateway.dataplane.stop()
    gateway.start_dataplane()
    with DataPlane(gateway.run_dir) as dataplane:
        wait_until(lambda: dataplane.status().generation > 0, "an image in force")
    wait_until(lambda: curl(bench["finance"], "59.205.16.10", 443) == "cloud", "finance reaches the budget system")
    same(curl(bench["hrss"], "59.205.16.10", 443, 1.2), None, "what is denied stays denied")


@test(BARE)
def data_plane_killed_hard_starts_again(bench: Bench) -> None:
    """SIGKILL leaves a socket file; the next start is not kept from anything by it."""
    gateway = start(bench)
    gateway.dataplane.stop(by=signal.SIGKILL)
    gateway.start_dataplane()
    wait_until(lambda: curl(bench["finance"], "59.205.16.10", 443) == "cloud", "finance reaches the budget system")
    wait_until(lambda: gateway.in_force(), "controld has found it again")


@test(BARE)
def what_a_killed_run_leaves_is_cleared(bench: Bench) -> None:
    """A run that is killed hard cannot clean up; the next one does it."""
    script = ("import time; from namespaces import Lab;"
              "lab = Lab(); lab.namespace('left').start('sleep', 'sleep', '99');"
              "print(lab.prefix, flush=True); time.sleep(99)")
    run = subprocess.Popen([sys.executable, "-B", "-c", script], stdout=subprocess.PIPE, text=True,
                           cwd=county.ROOT / "tools/lib")
    name = run.stdout.readline().strip() + "left"
    true((NAMED / name).exists(), "a namespace of the run")
    run.kill()
    run.communicate()
    true((NAMED / name).exists(), "the namespace is still there")
    same(clear_leftovers(), [name], "cleared")
    same((NAMED / name).exists(), False, "the namespace")
