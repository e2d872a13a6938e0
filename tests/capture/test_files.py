"""Capture files: what is read, what is refused and how, and what is written."""

from __future__ import annotations

import gzip
import shutil
import struct
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.utils import PcapNgWriter, PcapWriter

from capture.traffic import BACKEND, Wire, tls
from meshkit.capture import saved
from meshkit.capture.files import CaptureFile, Writer
from meshkit.capture.packet import Packet
from meshkit.capture.result import Result
from meshkit.capture.session import Wanted
from meshkit.errors import MeshkitError, UsageError

WIRE = tls(protocols=("h2",))


def write(path: Path, wire: Wire = WIRE, writer: Any = PcapWriter, **options: Any) -> Path:
    """A file as scapy writes it, of Ethernet frames."""
    with writer(str(path), **options) as file:
        for packet in wire.packets:
            frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(packet.data)
            frame.time = packet.time_ns / 1e9
            file.write(frame)
    return path


def read(path: Path, wanted: Wanted | None = None, writer: Writer | None = None) -> Result:
    if writer is None:
        return saved.read(path, wanted or Wanted())
    with writer:
        result = saved.read(path, wanted or Wanted(), writer)
        writer.close()
    return result


def well(result: Result) -> bool:
    """Whether a result is that of the one connection."""
    (connection,) = result.connections
    return (connection.server_name, result.packets, result.notes) == (BACKEND, len(WIRE.packets), ())


@pytest.mark.parametrize(
    ("writer", "options"),
    [
        pytest.param(PcapWriter, {"sync": True}, id="pcap"),
        pytest.param(PcapWriter, {"nano": True, "sync": True}, id="pcap with nanoseconds"),
        pytest.param(PcapWriter, {"endianness": ">", "sync": True}, id="pcap of a big-endian machine"),
        pytest.param(PcapWriter, {"gz": True, "sync": True}, id="gzipped"),
        pytest.param(PcapNgWriter, {}, id="pcapng"),
    ],
)
def test_forms(tmp_path: Path, writer: Any, options: dict[str, Any]) -> None:
    """Times are kept to the microsecond at least."""
    result = read(write(tmp_path / "x", writer=writer, **options))
    assert well(result)
    assert result.connections[0].to_server_ns == pytest.approx(70_000_000, abs=2000)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 a zip", "is no capture file"),
        (b"\xd4\xc3\xb2\xa1\x02\0", "is no capture file"),
        (b"\x0a\x0d\x0d\x0a\0\0", "is no capture file"),
        (b"\x1f\x8bnot really", "is no capture file"),
        (gzip.compress(b"a text", mtime=0), "is no capture file"),
    ],
    ids=["empty", "a zip", "half a header of pcap", "and of pcapng", "no gzip", "a text, gzipped"],
)
def test_what_is_no_capture_file(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read(path)


@pytest.mark.parametrize("make", [Path.mkdir, lambda _: None], ids=["a folder", "nothing"])
def test_what_is_no_file(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "x.pcap"
    make(path)
    with pytest.raises(UsageError, match=r"x.pcap (can't be read|is no capture file)"):
        read(path)


@pytest.mark.parametrize("writer", [PcapWriter, PcapNgWriter])
@pytest.mark.parametrize("lost", [1, 30, 75])
def test_a_truncated_file_gives_what_is_whole_and_says_so(tmp_path: Path, writer: Any, lost: int) -> None:
    path = write(tmp_path / "x.pcap", writer=writer, **({"sync": True} if writer is PcapWriter else {}))
    path.write_bytes(path.read_bytes()[:-lost])
    result = read(path)
    assert len(WIRE.packets) - 3 < result.packets < len(WIRE.packets)
    assert result.notes == ("the file ends in the middle of a packet",)


def test_a_packet_of_an_interface_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Its reader ends there, though the file goes on."""
    path = write(tmp_path / "x.pcapng", writer=PcapNgWriter)
    stray = struct.pack("<IIIIIII4sI", 6, 36, 7, 0, 0, 4, 4, b"data", 36)
    path.write_bytes(path.read_bytes() + stray)
    result = read(path)
    assert result.packets == len(WIRE.packets)
    assert result.notes == ("a packet of the file can't be read, and what follows it was not",)


def test_a_file_without_packets(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    result = read(path)
    assert (result.packets, result.destinations, result.began, result.notes) == (0, {}, None, ())


def test_an_unknown_link_type_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(
        struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 105) + struct.pack("<IIII4s", 1, 2, 4, 4, b"wifi")
    )
    with pytest.raises(UsageError, match="link type 105 can't be read") as caught:
        read(path)
    assert "Ethernet" in caught.value.hint


def test_packets_that_are_not_ip_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    with PcapWriter(str(path), sync=True) as file:
        file.write(Ether(type=0x88CC) / b"LLDP")
    assert read(path).skipped == {"not IP": 1}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
@pytest.mark.parametrize("writer", [PcapWriter, PcapNgWriter])
def test_a_damaged_file_is_a_result_or_an_error_of_ours(tmp_path: Path, data: st.DataObject, writer: Any) -> None:
    path = tmp_path / "x.pcap"
    write(path, writer=writer, **({"sync": True} if writer is PcapWriter else {}))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    with suppress(MeshkitError):
        assert read(path).packets >= 0


def test_what_is_written_reads_the_same(tmp_path: Path) -> None:
    """Also that with directions."""
    again = tmp_path / "again.pcap"
    assert well(read(write(tmp_path / "x.pcap", sync=True), writer=Writer(again, directions=False)))
    assert well(read(again))
    with Writer(tmp_path / "live.pcap") as live:
        for packet in WIRE.packets:
            live.write(packet)
    result = read(tmp_path / "live.pcap")
    assert well(result)
    assert [where.way for where in result.destinations] == ["in"]
    assert result.began == WIRE.packets[0].time_ns / 1e9


def test_no_payload_is_written(tmp_path: Path) -> None:
    """From a file that is full of it."""
    wire = tls()
    wire.send(90, "PA", b"canary-51")
    wire.send(91, "PA", b"canary-51", by_client=False)
    write(tmp_path / "x.pcap", wire, sync=True)
    assert b"canary-51" in (tmp_path / "x.pcap").read_bytes()
    read(tmp_path / "x.pcap", writer=Writer(tmp_path / "y.pcap", directions=False))
    assert b"canary-51" not in (tmp_path / "y.pcap").read_bytes()
    assert b"answer" not in (tmp_path / "y.pcap").read_bytes()


def test_tcpdump_reads_what_is_written(tmp_path: Path) -> None:
    """With sizes as they were on the wire."""
    tcpdump = shutil.which("tcpdump")
    assert tcpdump, "tcpdump is what this is written for: apt-get install tcpdump"
    with Writer(tmp_path / "x.pcap") as file:
        for packet in WIRE.packets:
            file.write(packet._replace(data=packet.data[:40]))
    shown = subprocess.run([tcpdump, "-nr", str(tmp_path / "x.pcap")], capture_output=True, text=True, check=True)
    assert "10.0.0.1.40000 > 10.0.0.2.8443: Flags [S]" in shown.stdout
    assert "length 6" in shown.stdout


def test_only_matching_connections_are_written_from_their_syn_on(tmp_path: Path) -> None:
    other = tls("web.default.aks.internal.x.consul", client_port=40001)
    both = Wire(packets=[packet for pair in zip(WIRE.packets, other.packets, strict=True) for packet in pair])
    write(tmp_path / "x.pcap", both, sync=True)
    result = read(tmp_path / "x.pcap", Wanted("backend.*"), Writer(tmp_path / "y.pcap", directions=False))
    assert [connection.server_name for connection in result.connections] == [BACKEND]
    assert well(read(tmp_path / "y.pcap"))


@pytest.mark.parametrize(("wanted", "packets"), [(Wanted(count=4), 4), (Wanted("backend.*", 2), 4)])
def test_a_count_is_an_end(tmp_path: Path, wanted: Wanted, packets: int) -> None:
    """With a name it counts what is written, which begins with all that was held until the name was known."""
    assert read(write(tmp_path / "x.pcap", sync=True), wanted).packets == packets


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists already") as caught:
        Writer(path).check()
    assert "--force" in caught.value.hint
    Writer(path, force=True).check()
    with pytest.raises(MeshkitError, match="can't be written: File exists"), Writer(path) as file:
        file.write(WIRE.packets[0])  # somebody has made it since
    assert path.read_text() == "mine"


@pytest.mark.parametrize("path", ["no/such/folder/x.pcap", "."])
def test_where_no_file_can_be(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageError, match=r"can't be written"):
        Writer(tmp_path / path, force=True).check()


def test_a_full_disk_is_said() -> None:
    """At the latest when the file is closed."""
    with Writer(Path("/dev/full"), force=True) as file:
        file.write(WIRE.packets[0])
        with pytest.raises(MeshkitError, match="/dev/full can't be written: No space left"):
            file.close()


def test_without_a_packet_there_is_a_file_unless_something_went_wrong(tmp_path: Path) -> None:
    with Writer(tmp_path / "x.pcap") as file:
        file.close()
    assert read(tmp_path / "x.pcap").packets == 0
    with pytest.raises(ZeroDivisionError), Writer(tmp_path / "y.pcap"):
        raise ZeroDivisionError
    assert not (tmp_path / "y.pcap").exists()


def test_the_reader_is_closed(tmp_path: Path) -> None:
    with CaptureFile(write(tmp_path / "x.pcap", sync=True)) as file:
        assert next(file.frames()).size == WIRE.packets[0].size + 14
    assert file._file.closed


def test_times_far_off_do_not_break_the_writer(tmp_path: Path) -> None:
    with Writer(tmp_path / "x.pcap") as file:
        file.write(Packet((1 << 63), None, 40, WIRE.packets[0].data))
    assert read(tmp_path / "x.pcap").packets == 1
