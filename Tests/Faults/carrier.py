"""Carries frames between ports of a switch that does not forward them itself, and holds each up for a while.

usage: carrier.py MILLISECONDS JITTER (PORT_A MAC_A PORT_B MAC_B)...

Prints "carrying" when it does. Ended by a signal; frames that it holds are lost then.
"""
import heapq
import random
import select
import socket
import sys
import time

# From linux/if_packet.h and linux/if_ether.h.
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING, ETH_P_ALL = 263, 15, 23, 3
SO_RCVBUFFORCE = 33
# Bytes of offload state in front of each frame: large frames and those without a checksum stay what they are.
VNET_HEADER = 10
FRAME_MAX = 1 << 17
HELD_MAX = 20_000


def port(name):
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    made.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    made.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
    made.bind((name, ETH_P_ALL))
    return made


def octets(mac):
    return bytes(int(part, 16) for part in mac.split(":"))


def main(hold, jitter, words):
    ports, routes = {}, {}
    for port_a, mac_a, port_b, mac_b in zip(*[iter(words)] * 4):
        for source, target, receiver in ((port_a, port_b, mac_b), (port_b, port_a, mac_a)):
            for name in (source, target):
                if name not in ports:
                    ports[name] = port(name)
            routes[ports[source].fileno(), octets(receiver)] = ports[target]
    by_number = {made.fileno(): made for made in ports.values()}
    poll = select.poll()
    for number in by_number:
        poll.register(number, select.POLLIN)
    print("carrying", flush=True)
    due, order = [], 0
    while True:
        now = time.monotonic()
        while due and due[0][0] <= now:
            _, _, out, frame = heapq.heappop(due)
            try:
                out.send(frame)
            except OSError:
                pass  # A full or vanished port loses frames, as a wire does.
        for number, _ in poll.poll(max(0, (due[0][0] - now) * 1000) if due else None):
            frame = by_number[number].recv(FRAME_MAX)
            out = routes.get((number, frame[VNET_HEADER:VNET_HEADER + 6]))
            if out and len(due) < HELD_MAX:
                order += 1
                heapq.heappush(due, (time.monotonic() + hold + random.uniform(-jitter, jitter), order, out, frame))


main(float(sys.argv[1]) / 1000, float(sys.argv[2]) / 1000, sys.argv[3:])
