#!/usr/bin/env python3
"""A VLAN's end in another namespace, for kernels that are built without VLAN interfaces.

`vlan_wire.py TRUNK VLAN NAMESPACE INTERFACE MAC` runs in the namespace of the trunk. It makes the tap
interface in the other namespace and carries frames between the two: tagged on the trunk, bare on the tap.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys

from namespaces import NAMED, enter

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING, SO_ATTACH_FILTER = 263, 8, 23, 26


def only_vlan(vlan: int) -> bytes:
    """A classic BPF program that takes frames of this VLAN (linux/filter.h, SKF_AD_VLAN_TAG)."""
    return b"".join(struct.pack("HBBI", *line) for line in (
        (0x20, 0, 0, 0xFFFFF000 + 48),  # ld vlan_tag_present
        (0x15, 0, 4, 1),                # jeq #1, else drop
        (0x20, 0, 0, 0xFFFFF000 + 44),  # ld vlan_tag
        (0x54, 0, 0, 0x0FFF),           # and #0xfff
        (0x15, 0, 1, vlan),             # jeq #vlan, else drop
        (0x06, 0, 0, 0xFFFF),           # ret #65535
        (0x06, 0, 0, 0)))               # ret #0


def trunk_socket(interface: str, vlan: int) -> socket.socket:
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    program = only_vlan(vlan)
    buffer = ctypes.create_string_buffer(program)
    s.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                 struct.pack("HL", len(program) // 8, ctypes.addressof(buffer)))
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    s.bind((interface, 3))
    return s


def tap(namespace: str, interface: str, mac: str) -> int:
    with open("/proc/self/ns/net", "rb") as home, open(NAMED / namespace, "rb") as there:
        enter(there.fileno())
        descriptor = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH", interface.encode(), IFF_TAP | IFF_NO_PI))
        enter(home.fileno())
    subprocess.run(["ip", "-n", namespace, "link", "set", interface, "address", mac], check=True)
    return descriptor


def main() -> None:
    trunk, vlan, namespace, interface, mac = sys.argv[1:]
    tag = struct.pack("!HH", 0x8100, int(vlan))
    wire = trunk_socket(trunk, int(vlan))
    end = tap(namespace, interface, mac)
    print("ready", flush=True)
    while True:
        for ready in select.select([wire, end], [], [])[0]:
            if ready is wire:
                frame = wire.recv(65535)  # the kernel has taken the tag off
                try:
                    os.write(end, frame)
                except OSError:
                    pass  # the interface is still down
            else:
                frame = os.read(end, 65535)
                wire.send(frame[:12] + tag + frame[12:])


if __name__ == "__main__":
    main()
