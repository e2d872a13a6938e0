"""TLS hellos: names, protocols and versions, however they are cut, and what only looks like one."""

from __future__ import annotations

import itertools
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.traffic import BACKEND, hello, records
from meshkit.capture.hello import AWAITED, COMPLETE, CUT, NOT_TLS, Hello, HelloReader, MalformedError, parse


def read(stream: bytes, *, step: int = 1 << 20, order: list[int] | None = None) -> HelloReader:
    """Feed a stream in segments of one size, in order or in another one."""
    reader = HelloReader()
    places = range(0, len(stream), step)
    for place in [places[n] for n in order] if order else places:
        part = stream[place : place + step]
        reader.feed(place, part, len(part))
    return reader


def test_name_protocols_and_versions_without_grease() -> None:
    """GREASE is in the extensions, the protocols and the versions, and in none of the results."""
    found = parse(hello(BACKEND, ("consul/rpc-multi", "h2")))
    assert found == Hello(BACKEND, ("consul/rpc-multi", "h2"), ("TLS 1.3", "TLS 1.2"))


def test_a_hello_without_a_name() -> None:
    assert parse(hello("")).server_name == ""


def test_an_old_hello_tells_its_version_by_the_old_field() -> None:
    assert parse(hello(offered=())).versions == ("TLS 1.2",)


def test_a_version_from_the_future_is_shown_as_it_is() -> None:
    assert parse(hello(offered=(0x7F1C, 0x0304))).versions == ("0x7f1c", "TLS 1.3")


@pytest.mark.parametrize("step", [1, 2, 5, 6, 9, 100, 1400])
def test_it_may_come_in_segments_of_any_size(step: int) -> None:
    reader = read(records(hello(padding=1800)), step=step)
    assert reader.state == COMPLETE
    assert reader.hello
    assert reader.hello.server_name == BACKEND


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_segments_may_come_in_any_order(order: tuple[int, ...]) -> None:
    stream = records(hello(padding=1800))
    reader = read(stream, step=-(-len(stream) // 3), order=list(order))
    assert reader.state == COMPLETE


def test_a_segment_that_comes_twice_changes_nothing() -> None:
    stream = records(hello(padding=1800))
    reader = HelloReader()
    for place in (0, 0, 700, 0, 700, 1400):
        reader.feed(place, stream[place : place + 700], len(stream[place : place + 700]))
    assert reader.state == COMPLETE


@pytest.mark.parametrize("longest", [10, 300, 1000])
def test_it_may_come_in_several_tls_records(longest: int) -> None:
    """RFC 8446 5.1 allows it."""
    assert read(records(hello(), longest=longest)).state == COMPLETE


def test_what_follows_in_the_same_segment_is_not_looked_at() -> None:
    reader = read(records(hello()) + b"\x14\x03\x03\0\x01\x01" + b"\x17\x03\x03\0\x10" + b"s" * 16)
    assert reader.state == COMPLETE


def test_a_part_that_is_missing_is_said() -> None:
    """A capture with a snap length has the length of a segment, and not all of it."""
    stream = records(hello(padding=1800))
    reader = HelloReader()
    reader.feed(0, stream[:96], 1400)
    reader.feed(1400, stream[1400:], len(stream) - 1400)
    assert reader.state == CUT


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
        pytest.param(b"\x17\x03\x03\0\x05hello", id="encrypted data"),
        pytest.param(b"\x16\x05\x05\0\x05\x01\0\0\x01\0", id="a version of the record that there is not"),
        pytest.param(b"\x16\x03\x01\0\0", id="an empty record"),
        pytest.param(b"\x16\x03\x01\x7f\xff\x01\0\0\x01\0", id="a record too long"),
        pytest.param(b"\x16\x03\x01\0\x04\x02\0\0\x01", id="a hello of a server"),
        pytest.param(b"\x16\x03\x01\0\x04\x01\xff\xff\xff", id="a hello of 16 MB"),
        pytest.param(records(hello(version=0x0505)), id="a version that is none"),
        pytest.param(records(b"\x01\0\0\x02\x03\x03"), id="a hello that ends too early"),
        pytest.param(b"\x80\x2e\x01\x03\x01\0\x15", id="SSL 2"),
    ],
)
def test_what_is_no_hello(stream: bytes) -> None:
    reader = read(stream)
    assert (reader.state, reader.hello) == (NOT_TLS, None)


def test_foreign_names_are_text_whatever_they_are() -> None:
    name = parse(hello("x").replace(b"\0\0\x01x", b"\0\0\x01\xff")).server_name
    assert name == "\\xff"


@given(st.binary(max_size=400))
def test_garbage_is_a_hello_or_malformed(data: bytes) -> None:
    """Whatever comes, no other error does."""
    with suppress(MalformedError):
        assert isinstance(parse(data), Hello)


@given(st.data())
def test_a_damaged_hello_never_breaks_the_reader(data: st.DataObject) -> None:
    stream = bytearray(records(hello(BACKEND, ("h2",))))
    for _ in range(data.draw(st.integers(1, 4))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    reader = read(bytes(stream), step=data.draw(st.integers(1, 500)))
    assert reader.state in {AWAITED, COMPLETE, NOT_TLS}
