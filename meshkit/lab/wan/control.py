"""Starting the WAN's process and telling it what to do."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from meshkit.errors import MeshkitError
from meshkit.lab.command import kill_all, spawn
from meshkit.lab.topology import Node, lab_folder
from meshkit.lab.waiting import wait_until
from meshkit.lab.wan.link import Link, LinkChange

MARK = "wan"
"""No cluster can be called this: the mark finds the forwarder's process even when it was never noted down."""

START_TIMEOUT_S = 10
ANSWER_TIMEOUT_S = 10.0


def start(nodes: Sequence[Node], default: Link) -> None:
    """Join exactly these nodes; pairs that are new get ``default``, the others keep what was set for them."""
    _folder().mkdir(parents=True, exist_ok=True)
    if not is_running():
        spawn(MARK, _folder() / "forwarder.log", [sys.executable, "-m", "meshkit.lab.wan.forwarder", _folder()])
        wait_until(is_running, START_TIMEOUT_S, "the WAN's forwarder", hint=f"see {_folder() / 'forwarder.log'}")
    _ask({"nodes": [(node.name, node.index) for node in nodes], "default": asdict(default)})


def stop() -> None:
    """End the process; its devices go with it."""
    kill_all(MARK)
    shutil.rmtree(_folder(), ignore_errors=True)


def set_link(a: Node, b: Node, change: LinkChange) -> Link:
    """Change both directions between two clusters; in force on return, which gives the link from ``a`` to ``b``."""
    _set(a, b, change)
    return _set(b, a, change)[(a.name, b.name)]


def cut(a: Node, b: Node, *, one_way: bool = False) -> None:
    """Let nothing pass between two clusters, or only nothing from ``a`` to ``b``."""
    _set(a, b, LinkChange(cut=True))
    if not one_way:
        _set(b, a, LinkChange(cut=True))


def heal(a: Node, b: Node) -> None:
    """Undo a cut in both directions; delay, loss and MTU stay as set."""
    _set(a, b, LinkChange(cut=False))
    _set(b, a, LinkChange(cut=False))


def links() -> dict[tuple[str, str], Link]:
    """Every ordered pair and its link."""
    return {(a, b): Link(**link) for a, b, link in _ask({})}


def is_running() -> bool:
    """Whether the forwarder answers."""
    try:
        _ask({})
    except MeshkitError:
        return False
    return True


def statistics() -> dict[tuple[str, str], dict[str, int]]:
    """Packets sent on and dropped, per ordered pair and cause."""
    return {(a, b): counters for a, b, counters in _ask({"statistics": True})}


def _set(a: Node, b: Node, change: LinkChange) -> dict[tuple[str, str], Link]:
    answer = _ask({"pair": (a.name, b.name), "change": asdict(change)})
    return {(x, y): Link(**link) for x, y, link in answer}


def _folder() -> Path:
    return lab_folder() / "wan"


def _ask(request: dict[str, Any]) -> list[Any]:
    """One request to the forwarder; MeshkitError when it does not run."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(ANSWER_TIMEOUT_S)
    try:
        connection.connect(str(_folder() / "control.sock"))
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer = json.loads(connection.makefile().readline())
    except (OSError, ValueError) as error:
        log = _folder() / "forwarder.log"
        raise MeshkitError(
            "the WAN between the lab's clusters is not running",
            hint=f"meshkit lab up starts it again; its log is {log}",
        ) from error
    finally:
        connection.close()
    if "error" in answer:
        raise MeshkitError(f"the WAN refused: {answer['error']}")
    found: list[Any] = answer["links"]
    return found
