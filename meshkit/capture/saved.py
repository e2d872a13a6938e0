"""A saved capture, from tcpdump, Wireshark or meshkit itself, taken as if it came by now."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from meshkit.capture import link
from meshkit.capture.files import CaptureFile, Writer
from meshkit.capture.packet import Packet
from meshkit.capture.pod.snap import Snapper
from meshkit.capture.result import Result
from meshkit.capture.segment import NOT_IP
from meshkit.capture.session import Session, Wanted


def read(path: Path, wanted: Wanted, writer: Writer | None = None, ports: Collection[int] = ()) -> Result:
    """All of a file; what ``writer`` gets of it is cut to headers and hellos. MeshkitError when it is no capture."""
    session, snapper = Session(str(path), wanted, writer, ports), Snapper()
    with CaptureFile(path) as file:
        for frame in file.frames():
            if session.full:
                break
            found = link.network(frame.link, frame.data)
            if found is None:
                session.table.skip(NOT_IP, frame.size)
                continue
            data = frame.data[found.begin :]
            cut = data[: snapper.kept(data)]
            session.take(Packet(frame.time_ns, found.outgoing, max(0, frame.size - found.begin), cut))
        notes = (file.trouble,) if file.trouble else ()
    return session.result(notes=notes)
