"""What leaves the pod, and what is written: headers and hellos, and not one byte of payload."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from capture.traffic import BACKEND, Wire, hello, records, tls
from meshkit.capture.pod.snap import MOST_EXPECTED, Snapper
from meshkit.capture.table import Table

CANARY = b"canary-2f9d1c"
HEAD = 40


def snapped(wire: Wire) -> list[bytes]:
    snapper = Snapper()
    return [packet.data[: snapper.kept(packet.data)] for packet in wire.packets]


def test_headers_and_the_hello_are_kept_whole() -> None:
    """What is cut says the same as what is not."""
    wire = tls(protocols=("h2",))
    whole, short = Table(), Table()
    for packet, data in zip(wire.packets, snapped(wire), strict=True):
        whole.add(packet)
        short.add(packet._replace(data=data))
    assert short.destinations() == whole.destinations()
    assert [c.server_name for c in short.connections()] == [BACKEND]


def test_a_hello_over_several_segments_and_nothing_behind_it() -> None:
    wire = Wire().handshake()
    message = records(hello(padding=3000))
    wire.say(80, message + CANARY, mss=1400)
    kept = snapped(wire)
    assert b"".join(data[HEAD:] for data in kept[3:]) == message
    assert not any(CANARY in data for data in kept)


def test_payloads_are_cut_in_both_directions() -> None:
    wire = tls()
    wire.send(90, "PA", CANARY)
    wire.send(91, "PA", CANARY, by_client=False)
    assert not any(CANARY in data or b"answer" in data for data in snapped(wire))


def test_plain_text_is_cut_from_its_first_byte() -> None:
    wire = Wire().handshake()
    wire.send(80, "PA", b"GET /" + CANARY)
    assert len(snapped(wire)[-1]) == HEAD


def test_what_looks_like_a_hello_is_none_without_a_syn_before_it() -> None:
    wire = Wire()
    wire.send(0, "PA", records(hello(BACKEND)))
    assert len(snapped(wire)[0]) == HEAD


def test_a_hello_further_on_in_a_stream_is_payload() -> None:
    """A connection that has begun with something else."""
    wire = Wire().handshake()
    wire.send(80, "PA", b"EHLO")
    wire.say(81, records(hello(CANARY.decode())))
    assert not any(CANARY in data for data in snapped(wire))


def test_data_in_a_syn_is_payload() -> None:
    """TCP fast open."""
    wire = Wire()
    wire.send(0, "S", CANARY)
    assert CANARY not in snapped(wire)[0]


def test_a_second_hello_is_payload() -> None:
    wire = Wire().handshake().say(80, records(hello()))
    wire.say(90, records(hello(CANARY.decode())))
    assert not any(CANARY in data for data in snapped(wire))


def test_padding_of_short_frames_is_cut() -> None:
    """Whatever memory a card pads with."""
    wire = Wire().handshake()
    data = wire.packets[-1].data
    assert Snapper().kept(data + CANARY) == len(data)


def test_memory_has_a_bound() -> None:
    """With too many connections at a time those that wait longest are given up."""
    snapper = Snapper()
    syn = Wire().send(0, "S").data
    for n in range(MOST_EXPECTED + 100):
        snapper.kept(syn[:20] + (1024 + n).to_bytes(2, "big") + syn[22:])
    assert len(snapper._expected) == MOST_EXPECTED


@given(st.data())
def test_no_bytes_of_a_payload_are_ever_kept(data: st.DataObject) -> None:
    """Any stream of plain text in any segments, beside a hello that may be cut anywhere."""
    message = records(hello())
    begin = message[: data.draw(st.integers(0, len(message)))]
    rest = data.draw(st.sampled_from([b"", b"\x17\x03\x03\0\x40", b"\x16\x03\x01\0\x40", b"GET "])) + CANARY * 9
    wire = Wire(v6=data.draw(st.booleans())).handshake()
    wire.say(80, begin + rest, mss=data.draw(st.integers(1, 700)))
    kept = b"".join(part[60 if wire.v6 else HEAD :] for part in snapped(wire)[3:])
    whole = len(begin) == len(message)
    assert not whole or kept == message
    assert CANARY not in kept or not whole


@given(st.binary(max_size=120))
def test_garbage_is_cut_within_its_size(packet: bytes) -> None:
    snapper = Snapper()
    assert 0 <= snapper.kept(packet) <= len(packet)
