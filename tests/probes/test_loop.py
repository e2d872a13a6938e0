"""The loop with real descriptors, and mechanisms of every kind of misbehaviour."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import pytest

from meshkit.probes import loop as loops
from meshkit.probes.loop import BATCH, MAIL, READ, SPENT_LIMIT, Expired, Loop, Steps, others_first
from meshkit.probes.reasons import Failed
from meshkit.probes.sample import Record

LONG_S = 30.0


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(0)
        yield here, there


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def start(loop: Loop, steps: Callable[[Record], Steps], *, timeout_s: float = LONG_S) -> list[Record]:
    """Spawn; the list gets the record when the probe has ended."""
    ended: list[Record] = []
    record = Record()
    record.enter("reply")
    loop.spawn(steps(record), record, monotonic() + timeout_s, ended.append)
    return ended


def drive(loop: Loop, limit_s: float = 10.0) -> None:
    """Until nothing is under way."""
    until = monotonic() + limit_s
    while loop.under_way:
        assert monotonic() < until, "the loop hangs"
        loop.turn(monotonic() + 0.05)


def wait_for(sock: socket.socket, until: float = 0.0) -> Callable[[Record], Steps]:
    def steps(record: Record) -> Steps:
        record.facts["got"] = yield sock.fileno(), READ, until

    return steps


def test_a_mechanism_that_ends_in_its_first_step_is_done_before_spawn_returns(loop: Loop) -> None:
    def steps(record: Record) -> Steps:
        record.leave()
        yield from ()

    assert start(loop, steps)[0].reason == "ok"
    assert loop.under_way == 0
    assert not loop._times


def test_an_answer_resumes_the_mechanism(loop: Loop, pair: tuple[socket.socket, socket.socket]) -> None:
    ended = start(loop, wait_for(pair[0]))
    pair[1].send(b"x")
    drive(loop)
    assert ended[0].facts["got"]


def test_an_answer_already_in_the_kernel_wins_over_a_deadline_that_is_past(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    ended = start(loop, wait_for(pair[0]), timeout_s=-1.0)
    pair[1].send(b"x")
    drive(loop)
    assert ended[0].reason == "ok"


def test_more_answers_than_a_batch_all_win_over_deadlines_that_are_past(loop: Loop) -> None:
    with ExitStack() as stack:
        ended = []
        for _ in range(BATCH + 20):
            here, there = map(stack.enter_context, socket.socketpair())
            there.send(b"x")
            ended.append(start(loop, wait_for(here), timeout_s=-1.0))
        drive(loop)
    assert {record.reason for (record,) in ended} == {"ok"}


def test_endless_answers_of_others_do_not_keep_a_deadline_from_passing(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, pair: tuple[socket.socket, socket.socket]
) -> None:
    monkeypatch.setattr(loops, "BATCH", 2)
    with ExitStack() as stack:

        def chatter(here: socket.socket) -> Callable[[Record], Steps]:
            def steps(_: Record) -> Steps:
                while True:
                    yield here.fileno(), READ, 0.0

            return steps

        for _ in range(4):
            here, there = map(stack.enter_context, socket.socketpair())
            there.send(b"x")  # never read: ready at every turn
            start(loop, chatter(here))
        silent = start(loop, wait_for(pair[0]), timeout_s=0.01)
        until = monotonic() + 10
        while not silent and monotonic() < until:
            loop.turn(monotonic())
        assert silent[0].reason == "timeout_reply"
        loop.close()
        loop.__init__()  # type: ignore[misc]  # the fixture closes it again


def test_a_wait_ends_at_its_own_time_with_none(loop: Loop, pair: tuple[socket.socket, socket.socket]) -> None:
    ended = start(loop, wait_for(pair[0], until=monotonic() + 0.01))
    drive(loop)
    assert ended[0].reason == "ok"
    assert ended[0].facts["got"] is None


def test_silence_ends_at_the_deadline_with_the_phase_in_the_reason(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    ended = start(loop, wait_for(pair[0]), timeout_s=0.01)
    drive(loop)
    assert ended[0].reason == "timeout_reply"
    assert not loop._waiting


def goes_on(_: Record) -> Steps:
    while True:
        try:
            yield MAIL, object(), 0.0
        except Expired:
            continue


def never_closes(_: Record) -> Steps:
    while True:
        try:
            yield MAIL, object(), 0.0
        except Expired:
            continue
        except GeneratorExit:
            yield MAIL, object(), 0.0
            return


@pytest.mark.parametrize("steps", [goes_on, never_closes], ids=["goes on", "refuses to be closed"])
def test_a_mechanism_that_ignores_its_deadline_ends_all_the_same(loop: Loop, steps: Callable[[Record], Steps]) -> None:
    ended = start(loop, steps, timeout_s=0.01)
    drive(loop)
    assert ended[0].reason == "timeout_reply"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(Failed("closed", "gone"), "closed", id="a reason"),
        pytest.param(ConnectionRefusedError(111, "no"), "refused", id="an errno"),
        pytest.param(OSError("no number"), "internal", id="an OSError without errno"),
        pytest.param(ZeroDivisionError("bug"), "internal", id="a bug"),
        pytest.param(RecursionError("deep"), "internal", id="a target that nests too deep"),
    ],
)
def test_whatever_a_mechanism_raises_ends_the_probe_alone(loop: Loop, error: Exception, reason: str) -> None:
    def steps(_: Record) -> Steps:
        yield from ()
        raise error

    assert start(loop, steps)[0].reason == reason
    assert loop.under_way == 0


@pytest.mark.parametrize("descriptor", [-1, 999_999], ids=["closed", "never open"])
def test_waiting_for_a_descriptor_that_is_none_ends_the_probe(loop: Loop, descriptor: int) -> None:
    closed = []

    def steps(_: Record) -> Steps:
        try:
            yield descriptor, READ, 0.0
        finally:
            closed.append(True)

    ended = start(loop, steps)
    assert ended[0].reason == "internal"
    assert closed
    assert not loop._waiting


def test_a_descriptor_closed_while_waiting_ends_at_the_deadline_and_leaves_its_successor_alone(loop: Loop) -> None:
    here, there = socket.socketpair()
    first = start(loop, wait_for(here), timeout_s=0.01)
    number = here.fileno()
    here.close()
    there.close()
    here, there = socket.socketpair()
    with here, there:
        assert here.fileno() == number
        second = start(loop, wait_for(here))
        while not first:
            loop.turn(monotonic() + 0.05)
        there.send(b"x")
        drive(loop)
    assert (first[0].reason, second[0].reason) == ("timeout_reply", "ok")


def test_a_descriptor_number_used_again_by_the_same_probe_is_watched_again(loop: Loop) -> None:
    def steps(_: Record) -> Steps:
        for _ in range(3):
            here, there = socket.socketpair()
            with here, there:
                there.send(b"x")
                yield here.fileno(), READ, 0.0

    ended = start(loop, steps)
    drive(loop)
    assert ended[0].reason == "ok"


def test_a_probe_may_wait_for_mail_between_two_waits_for_one_descriptor(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    def steps(record: Record) -> Steps:
        yield pair[0].fileno(), READ, 0.0
        record.facts["letter"] = yield MAIL, "key", 0.0
        yield pair[0].fileno(), READ, 0.0

    ended = start(loop, steps)
    pair[1].send(b"x")
    loop.turn(monotonic() + LONG_S)
    assert loop.deliver("key", 7)
    assert not loop.deliver("key", 8)
    drive(loop)
    assert ended[0].facts["letter"] == 7


def test_mail_for_a_probe_that_has_ended_is_nobodys(loop: Loop) -> None:
    def steps(_: Record) -> Steps:
        yield MAIL, "key", 0.0

    ended = start(loop, steps, timeout_s=0.01)
    drive(loop)
    assert ended[0].reason == "timeout_reply"
    assert not loop.deliver("key", 1)


def test_a_shared_descriptor_has_its_handler_called(loop: Loop, pair: tuple[socket.socket, socket.socket]) -> None:
    got: list[bytes] = []
    loop.listen(pair[0].fileno(), lambda: got.append(pair[0].recv(10)))
    pair[1].send(b"x")
    loop.turn(monotonic() + LONG_S)
    loop.unlisten(pair[0].fileno())
    pair[1].send(b"y")
    loop.turn(monotonic())
    assert got == [b"x"]


def test_deadlines_of_ended_probes_do_not_pile_up(loop: Loop, pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].send(b"x")
    for _ in range(3 * SPENT_LIMIT):
        start(loop, wait_for(pair[0]))
        loop.turn(monotonic() + LONG_S)
    assert loop.under_way == 0
    assert len(loop._times) <= SPENT_LIMIT + 1


def test_closing_ends_what_is_under_way_and_leaves_no_descriptor() -> None:
    before = descriptors()
    loop = Loop()

    def steps(_: Record) -> Steps:
        here, there = socket.socketpair()
        with here, there:
            yield here.fileno(), READ, 0.0

    ended = start(loop, steps)
    loop.close()
    assert not ended
    assert descriptors() == before


def test_blur_is_the_time_since_the_look_before(loop: Loop, pair: tuple[socket.socket, socket.socket]) -> None:
    blurs: list[float] = []

    def steps(_: Record) -> Steps:
        yield pair[0].fileno(), READ, 0.0
        busy_until = monotonic() + 0.02
        while monotonic() < busy_until:
            pass
        blurs.append(loop.blur())

    start(loop, steps)
    pair[1].send(b"x")
    drive(loop)
    assert blurs[0] >= 0.02


def test_a_mechanism_that_lets_others_first_goes_on_after_them(loop: Loop) -> None:
    order: list[str] = []

    def steps(name: str) -> Callable[[Record], Steps]:
        def go(_: Record) -> Steps:
            for _piece in range(3):
                order.append(name)
                yield others_first()

        return go

    ended = [start(loop, steps(name)) for name in ("a", "b")]
    drive(loop)
    assert order == ["a", "b"] * 3
    assert [record.reason for (record,) in ended] == ["ok", "ok"]
