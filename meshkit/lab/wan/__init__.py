"""The emulated WAN between lab clusters: delay, jitter, loss, MTU and cuts per ordered pair.

A process of its own forwards packets between tun devices, one in each node's namespace. netem would do the same in
the kernel, but many kernels lack it, and a second implementation would have to be proven as exact as the first.
"""

from meshkit.lab.wan.control import cut, heal, is_running, links, set_link, start, statistics, stop
from meshkit.lab.wan.link import Link, LinkChange, parse_delay, parse_loss, parse_mtu

__all__ = [
    "Link",
    "LinkChange",
    "cut",
    "heal",
    "is_running",
    "links",
    "parse_delay",
    "parse_loss",
    "parse_mtu",
    "set_link",
    "start",
    "statistics",
    "stop",
]
