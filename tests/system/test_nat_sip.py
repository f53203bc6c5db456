"""Calls across the boundary by a program that is not ours: out by the egress and in to what is published."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from county import HOSTS
from lab import Bench, same, test, true, wait_until
from nat_lab import FAR, INSIDE, NAT, NAT_TWO
from wire import UDP, Wire, watched  # which makes the packets of tools/captures known
from packets import ethernet, ipv4, udp  # noqa: E402

OWN_MEDIA, THEIR_MEDIA = 16000, 17000
PACKETS = 25  # half a second of G.711
PORTAL, PUBLIC = "203.0.113.21", "203.0.113.37"

# The caller of sipp, with media between ACK and BYE. Who is called is sipp's own, and sends media back.
CALLER = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="call with media">
<send retrans="500"><![CDATA[
INVITE sip:service@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:desk@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:service@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:desk@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=desk 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200"/>
<send><![CDATA[
ACK sip:service@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:desk@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:service@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<nop><action><exec play_pcap_audio="MEDIA"/></action></nop>
<pause milliseconds="1000"/>
<send retrans="500"><![CDATA[
BYE sip:service@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:desk@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:service@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"""


def media_file(directory: Path) -> Path:
    """A capture for sipp to play: it takes the payloads, with ports and addresses of the call."""
    file = directory / "media.pcap"
    with file.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for i in range(PACKETS):
            rtp = struct.pack("!BBHII", 0x80, 0, i, i * 160, 7) + bytes(160)
            packet = ipv4("10.0.0.1", "10.0.0.2", UDP, udp("10.0.0.1", "10.0.0.2", OWN_MEDIA, THEIR_MEDIA, rtp))
            frame = ethernet("02:00:00:00:00:01", "02:00:00:00:00:02", 0x0800, packet)
            out.write(struct.pack("<IIII", 0, i * 20000, len(frame), len(frame)) + frame)
    return file


def call(bench: Bench, caller: str, own: str, called: str, listens: str, known_as: str) -> None:
    """One call, until both sides say that it went well."""
    directory = bench.lab.directory
    scenario = directory / "caller.xml"
    scenario.write_text(CALLER.replace("MEDIA", str(media_file(directory))), encoding="utf-8")
    name = f"called-{called}-{'6' if ':' in listens else '4'}"
    answers = bench[called].start(name, "sipp", "-sn", "uas", "-i", listens, "-p", "5060", "-mi", listens, "-mp",
                                  str(THEIR_MEDIA), "-rtp_echo", "-m", "1", "-nostdin", "-timeout", "30")
    try:
        wait_until(lambda: in_use(bench, called, 5060), "sipp listens")
        remote = f"[{known_as}]:5060" if ":" in known_as else f"{known_as}:5060"
        done = bench[caller].run("sipp", remote, "-sf", str(scenario), "-i", own, "-p", "5060", "-mi", own, "-mp",
                                 str(OWN_MEDIA), "-m", "1", "-nostdin", "-timeout", "20", "-timeout_error", seconds=40)
        same(done.returncode, 0, f"the caller: {done.stdout[-1500:]} {done.stderr[-500:]}")
        same(answers.wait(10), 0, "the called one")
    finally:
        answers.stop()


def in_use(bench: Bench, host: str, port: int) -> bool:
    return f":{port} " in bench[host].run("ss", "-lnuH").stdout


def media(wire: Wire, source: str, destination: str, to_port: int | None = None) -> list[int]:
    """The ports that media came from, of packets from one address to another."""
    found = []
    for packet in wire.packets:
        if packet.protocol == UDP and (packet.source, packet.destination) == (source, destination):
            from_port, port = struct.unpack_from("!HH", packet.payload)
            if len(packet.payload) == 8 + 12 + 160 and port == (to_port or port):
                found.append(from_port)
    return found


def said_to(bench: Bench, host: str, source: tuple[str, int], destination: tuple[str, int]) -> dict[str, int]:
    """The reasons by which a datagram from somebody outside is dropped."""
    def send() -> None:
        family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
        with bench[host].socket(family, socket.SOCK_DGRAM) as s:
            s.bind(source)
            s.sendto(bytes(172), destination)
    return bench.measure(send).drops()


@test(NAT, NAT_TWO)
def a_call_leaves_by_the_egress(bench: Bench) -> None:
    """Media of both sides pass by what the pool stands for, until the call is over; nobody else's do."""
    for family, far in ((4, FAR[0]), (6, FAR[1])):
        own = HOSTS["hrss"].own(family)
        with watched(bench, "internet", INSIDE) as out, watched(bench, "lan", ()) as back:
            counted = bench.measure(lambda: call(bench, "hrss", own, "far", far, far))
        same(counted.drops(), {}, f"drops of a call to {far}")
        pool = next(p.source for p in out.packets if p.protocol == UDP and p.destination == far)
        sent = media(out, pool, far, THEIR_MEDIA)
        same(len(sent), PACKETS, "media that left")
        same(media(back, far, own, OWN_MEDIA), [THEIR_MEDIA] * PACKETS, "media that came back")
        for source in ((far, THEIR_MEDIA), (far, 5062)):
            drops = said_to(bench, "far", source, (pool, sent[0]))
            true(sum(drops.values()) == 1, f"what comes from {source} when the call is over is dropped: {drops}")


@test(NAT, NAT_TWO)
def a_call_to_what_is_published(bench: Bench) -> None:
    """The called one tells its inside address, and callers outside are told the public one."""
    with watched(bench, "internet", INSIDE) as out, watched(bench, "dmz", ()) as back:
        counted = bench.measure(lambda: call(bench, "far", FAR[0], "portal", PORTAL, PUBLIC))
    same(counted.drops(), {}, "drops of a call to the public address")
    same(media(back, FAR[0], PORTAL, THEIR_MEDIA), [OWN_MEDIA] * PACKETS, "media that came in")
    same(media(out, PUBLIC, FAR[0], OWN_MEDIA), [THEIR_MEDIA] * PACKETS, "media that left")
    drops = said_to(bench, "far", (FAR[0], OWN_MEDIA), (PUBLIC, THEIR_MEDIA))
    true(sum(drops.values()) == 1, f"media are dropped when the call is over: {drops}")
