"""Capture files: any that scapy reads (pcap, pcapng, both gzipped), and pcap written with what may be seen alone."""

from __future__ import annotations

import gzip
import logging
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

from meshkit.capture import link
from meshkit.capture.packet import Packet
from meshkit.capture.pod.wire import INCOMING, OUTGOING
from meshkit.errors import MeshkitError, UsageError

NANOSECONDS = 1_000_000_000
MAGIC, VERSION = 0xA1B23C4D, (2, 4)
"""The pcap form with nanoseconds."""

RAW_IP = 101
FILE_HEAD = struct.Struct("=IHHiIII")
PACKET_HEAD = struct.Struct("=IIII")
SLL2_HEAD = struct.Struct("!HHIHBB8s")
ETHERNET_DEVICE = 1
LONGEST = 1 << 18
PACKET_BLOCKS = frozenset({2, 3, 6})
"""Obsolete, simple and enhanced, https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html."""

CUT_SHORT = "the file ends in the middle of a packet"
STOPPED = "a packet of the file can't be read, and what follows it was not"


class Frame(NamedTuple):
    """A packet of a file, from its link's header on; ``size`` is what it had on the wire."""

    time_ns: int
    link: int
    size: int
    data: bytes


class CaptureFile:
    """A saved capture; ``trouble`` says why it was not read to its end. MeshkitError when it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""
        self._file = _open(path)
        self._reader = _reader(path, self._file)
        self._whole = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def frames(self) -> Iterator[Frame]:
        """All packets that are whole, or cut on purpose; UsageError at a link type that is not known."""
        while (found := self._next()) is not None:
            data, meta = found
            kind = getattr(meta, "linktype", None) if hasattr(meta, "tshigh") else self._reader.linktype
            if kind not in link.KNOWN:
                raise UsageError(
                    f"{self.path}: packets of link type {kind} can't be read", hint=f"known are {link.NAMES}"
                )
            if hasattr(meta, "caplen") and len(data) < meta.caplen <= LONGEST:
                self.trouble = CUT_SHORT
                return
            self._whole = self._reader.f.tell()
            yield Frame(self._time(meta), kind, meta.wirelen or len(data), data)
        self.trouble = self._left_over()

    def _next(self) -> tuple[bytes, Any] | None:
        try:
            found: tuple[bytes, Any] = next(self._reader)
        except StopIteration:
            return None
        except Exception as error:  # a reader meets foreign bytes, and has many ways to stumble
            raise MeshkitError(
                f"{self.path}: damaged: {type(error).__name__}", hint="capinfos, or tcpdump -r"
            ) from error
        return found

    def _time(self, meta: Any) -> int:
        if hasattr(meta, "tshigh"):
            if meta.tshigh is None or not meta.tsresol:
                return 0
            return int(((meta.tshigh << 32) + meta.tslow) * NANOSECONDS // meta.tsresol)
        return int(meta.sec * NANOSECONDS + meta.usec * (1 if self._reader.nano else 1000))

    def _left_over(self) -> str:
        """Of what bytes are left that are no block of another kind than packets."""
        file = self._reader.f
        if isinstance(file, gzip.GzipFile):
            return ""  # where it ends is not known beforehand
        end = file.seek(0, 2)
        place = self._whole or (0 if hasattr(self._reader, "blocktypes") else FILE_HEAD.size)
        if hasattr(self._reader, "blocktypes"):
            return _blocks_left_over(file, place, end, self._reader.endian)
        return CUT_SHORT if place < end else ""


def _blocks_left_over(file: BinaryIO, place: int, end: int, order: str) -> str:
    while place < end:
        file.seek(place)
        head = file.read(8)
        kind, length = struct.unpack(f"{order}II", head) if len(head) == 8 else (0, 0)  # noqa: PLR2004 - two words
        if length < 12 or place + length > end:  # noqa: PLR2004 - the least that a block has
            return CUT_SHORT
        if kind in PACKET_BLOCKS:
            return STOPPED
        place += length
    return ""


def _open(path: Path) -> BinaryIO:
    try:
        if path.stat().st_size == 0:
            raise UsageError(f"{path} is empty", hint="no capture program has written even its header")
        return path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}", hint="meshkit capture --read FILE") from error


def _reader(path: Path, file: BinaryIO) -> Any:
    logging.getLogger("scapy").setLevel(logging.CRITICAL)  # its warnings are ours to tell
    from scapy.error import Scapy_Exception  # noqa: PLC0415 - scapy takes half a second to import
    from scapy.utils import RawPcapReader  # noqa: PLC0415

    try:
        return RawPcapReader(file)
    except (Scapy_Exception, OSError, EOFError, struct.error, ValueError, IndexError, KeyError, TypeError) as error:
        file.close()
        raise UsageError(f"{path} is no capture file", hint="pcap or pcapng, as tcpdump and Wireshark write") from error


class Writer:
    """A pcap for Wireshark and tcpdump, made with its first packet, or when it is closed.

    With directions it is "Linux cooked v2", else raw IP. Packets must have been cut to what may be seen.
    """

    def __init__(self, path: Path, *, force: bool = False, directions: bool = True) -> None:
        self._path = path
        self._force = force
        self._directions = directions
        self._file: BinaryIO | None = None
        self.packets = 0

    def check(self) -> None:
        """UsageError when it can't be made, before any work is done for it."""
        if self._path.exists() and not self._force:
            raise UsageError(f"{self._path} exists already", hint="--force, or another name")
        if self._path.is_dir() or not self._path.parent.is_dir():
            raise UsageError(f"{self._path} can't be written", hint="the folder must exist, and be yours to write to")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """What was written stays; an error has been told by now, or another one is under way."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def close(self) -> None:
        """All of it is in the file now, which is there without a packet too; MeshkitError when it is not."""
        with self._told():
            self._opened().close()

    def write(self, packet: Packet) -> None:
        """One packet, as cut."""
        head = self._link_head(packet) if self._directions else b""
        seconds, nanoseconds = divmod(packet.time_ns, NANOSECONDS)
        captured, size = len(head) + len(packet.data), len(head) + packet.size
        with self._told():
            self._opened().write(
                PACKET_HEAD.pack(seconds % (1 << 32), nanoseconds, captured, size) + head + packet.data
            )
        self.packets += 1

    def flush(self) -> None:
        """Have what was written so far on disk, for whoever reads along."""
        if self._file is not None:
            with self._told():
                self._file.flush()

    @staticmethod
    def _link_head(packet: Packet) -> bytes:
        protocol = 0x86DD if packet.data[:1] and packet.data[0] >> 4 == 6 else 0x0800  # noqa: PLR2004 - IPv6
        return SLL2_HEAD.pack(protocol, 0, 0, ETHERNET_DEVICE, OUTGOING if packet.outgoing else INCOMING, 0, b"")

    def _opened(self) -> BinaryIO:
        if self._file is None:
            # Between the check and now somebody else may have made it.
            self._file = self._path.open("wb" if self._force else "xb")
            kind = link.LINUX_SLL2 if self._directions else RAW_IP
            self._file.write(FILE_HEAD.pack(MAGIC, *VERSION, 0, 0, LONGEST, kind))
        return self._file

    def _told(self) -> _Told:
        return _Told(self._path)


class _Told:
    """Maps what the system says of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Nothing is to be done yet."""

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(value, OSError):
            raise MeshkitError(f"{self._path} can't be written: {value.strerror}", hint="-w another file") from value
