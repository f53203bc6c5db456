"""Senders that are not who they say they are."""

from clients import curl
from frames import echo, frame, inject, udp
from lab import Bench, same, test, true


@test()
def spoofed_sources(bench: Bench) -> None:
    """A source whose way back leads by another port is dropped, and nobody behind sees anything of it."""
    spoofed = [frame("lan", "52:54:00:99:99:99", udp("10.64.1.20", "59.205.39.2", 53)),
               frame("lan", "52:54:00:99:99:99", udp("2001:db8:100:1::5", "2001:db8:107:100::2", 53)),
               frame("lan", "52:54:00:99:99:99", echo("203.0.113.20", "59.205.16.3", 7))] * 5
    outside = [frame("internet", "02:00:5e:00:00:fe", udp("59.205.16.10", "59.205.39.2", 53)),
               frame("internet", "02:00:5e:00:00:fe", udp("2001:db8:107:1::37", "2001:db8:107:100::2", 53))] * 5

    def act() -> None:
        inject(bench, "lan", spoofed)
        inject(bench, "internet", outside)

    counted = bench.measure(act)
    same(counted.drops(), {"spoofed": 25}, "drops")
    true(counted.ports["lan"]["dropped"] >= 15 and counted.ports["internet"]["dropped"] >= 10,
         "dropped at the ports by which they came")
    same(counted.reasons["allowed"], 0, "allowed")


@test()
def private_source_from_the_internet(bench: Bench) -> None:
    """An RFC 1918 source at the internet's port is named for what it is."""
    frames = [frame("internet", "02:00:5e:00:00:fe", udp(source, "203.0.113.20", 53))
              for source in ("10.1.2.3", "192.168.7.7", "100.64.0.9")]
    counted = bench.measure(lambda: inject(bench, "internet", frames))
    same(counted.drops(), {"source-private": 3}, "drops")


@test()
def another_machine_with_a_registered_address(bench: Bench) -> None:
    """A registered terminal's address with another MAC, and an address that nobody registered."""

    def impostor() -> None:
        same(curl(bench["impostor"], "59.205.16.10", 443, 1.2), None, "the wrong MAC, IPv4")
        same(curl(bench["impostor"], "2001:db8:0:16::10", 443, 1.2), None, "the wrong MAC, IPv6")

    counted = bench.measure(impostor)
    true(counted.reasons["terminal-mac"] >= 2, "terminal-mac")
    same(counted.drops(), {"terminal-mac": counted.reasons["terminal-mac"]}, "drops")
    same(counted.units["czj-360121"]["denied"], counted.reasons["terminal-mac"], "denied to the unit")

    def stranger() -> None:
        same(curl(bench["stranger"], "59.205.16.10", 443, 1.2), None, "not registered, IPv4")
        same(curl(bench["stranger"], "2001:db8:0:16::10", 443, 1.2), None, "not registered, IPv6")

    counted = bench.measure(stranger)
    true(counted.reasons["terminal-unknown"] >= 2, "terminal-unknown")
    same(counted.drops(), {"terminal-unknown": counted.reasons["terminal-unknown"]}, "drops")
    same(curl(bench["finance"], "59.205.16.10", 443), "cloud", "the registered machine beside them")


@test()
def frames_for_another_station(bench: Bench) -> None:
    """What a switch floods to the gateway although it is for somebody else is counted, and goes nowhere."""
    flooded = [frame("lan", "52:54:00:99:99:99", udp("10.65.64.37", "59.205.16.10", 443))] * 6
    flooded = [b"\x52\x54\x00\x77\x77\x77" + one[6:] for one in flooded]
    counted = bench.measure(lambda: inject(bench, "lan", flooded))
    true(counted.reasons["frame-other-host"] >= 6, "frame-other-host")
    true(counted.ports["lan"]["dropped"] >= 6, "dropped at the port")
    same(counted.reasons["allowed"], 0, "allowed")


@test()
def source_of_no_unit(bench: Bench) -> None:
    """A source that no unit has is dropped in the extranet, before any rule."""
    frames = [frame("lan", "02:36:01:21:0b:fe", udp("10.65.88.1", "59.205.39.2", 53))] * 4
    counted = bench.measure(lambda: inject(bench, "lan", frames))
    same(counted.drops(), {"unit-unknown": 4}, "drops")
