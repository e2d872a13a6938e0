"""A process whose wall clock is wrong, while the machine's and everybody else's is right.

The lab's clusters share the machine's clock, and a time namespace can't shift CLOCK_REALTIME. But programs read the
time through the vDSO, code of the kernel that is mapped into each of them: there, the process's own copy is made to ask
the kernel and add seconds. What the program then does with its time (dates, certificates) is its own doing.
"""

from __future__ import annotations

import platform
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from os import kill
from pathlib import Path

from meshkit.lab.waiting import wait_until

PROGRAM_HEADER, DYNAMIC_ENTRY, SYMBOL = struct.Struct("<IIQQQQQQ"), struct.Struct("<QQ"), struct.Struct("<IBBHQQ")
PT_DYNAMIC, DT_STRTAB, DT_SYMTAB = 2, 5, 6
STOPPED_S = 5.0


def _code(seconds: int) -> dict[str, bytes]:
    """The vDSO's functions in machine code of x86-64: the system call, and then seconds added to its answer."""
    add = struct.pack("<i", seconds)
    return {
        # mov eax, 228; syscall; test edi, edi (CLOCK_REALTIME); jne past the add; add qword [rsi], seconds; ret
        "__vdso_clock_gettime": bytes.fromhex("b8e40000000f05 85ff 7507 488106") + add + b"\xc3",
        # mov eax, 96; syscall; test rdi, rdi; je past the add; add qword [rdi], seconds; ret
        "__vdso_gettimeofday": bytes.fromhex("b8600000000f05 4885ff 7407 488107") + add + b"\xc3",
        # mov eax, 201; syscall; add rax, seconds; test rdi, rdi; je past the store; mov [rdi], rax; ret
        "__vdso_time": bytes.fromhex("b8c90000000f05 4805") + add + bytes.fromhex("4885ff 7403 488907 c3"),
    }


@contextmanager
def shifted(pid: int, seconds: int) -> Iterator[None]:
    """A process's wall clock is so many seconds ahead."""
    assert platform.machine() == "x86_64", "the code that is put into the process is x86-64's"
    begin, end = _mapped(pid)
    image = _read(pid, begin, end - begin)
    places = _symbols(image)
    code = {begin + places[name]: body for name, body in _code(seconds).items()}
    before = {at: image[at - begin : at - begin + len(body)] for at, body in code.items()}
    _write(pid, code)
    try:
        yield
    finally:
        if Path(f"/proc/{pid}").exists():
            _write(pid, before)


def _mapped(pid: int) -> tuple[int, int]:
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    found = next(line for line in lines if line.endswith("[vdso]"))
    begin, _, end = found.split()[0].partition("-")
    return int(begin, 16), int(end, 16)


def _read(pid: int, at: int, length: int) -> bytes:
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        memory.seek(at)
        return memory.read(length)


def _write(pid: int, code: dict[int, bytes]) -> None:
    """While the process stands still, and with none of its threads in what is written."""
    places = [range(at, at + len(body)) for at, body in code.items()]

    def stands() -> bool:
        kill(pid, signal.SIGSTOP)
        wait_until(lambda: all(_state(task) == "T" for task in _tasks(pid)), STOPPED_S, f"process {pid} to stop")
        if any(_counter(task) in place for task in _tasks(pid) for place in places):
            kill(pid, signal.SIGCONT)
            return False
        return True

    wait_until(stands, STOPPED_S, f"process {pid} outside of its vDSO")
    try:
        with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
            for at, body in code.items():
                memory.seek(at)
                memory.write(body)
    finally:
        kill(pid, signal.SIGCONT)


def _tasks(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def _state(task: Path) -> str:
    return (task / "stat").read_text().rpartition(")")[2].split()[0]


def _counter(task: Path) -> int:
    """Where a thread stands: the last word of its ``syscall``."""
    return int((task / "syscall").read_text().split()[-1], 16)


def _symbols(image: bytes) -> dict[str, int]:
    """Offsets of the functions in a vDSO, from its dynamic symbol table, which ends where the names begin."""
    (headers,), (count,) = struct.unpack_from("<Q", image, 32), struct.unpack_from("<H", image, 56)
    segments = [PROGRAM_HEADER.unpack_from(image, headers + PROGRAM_HEADER.size * n) for n in range(count)]
    offset, size = next((found[2], found[5]) for found in segments if found[0] == PT_DYNAMIC)
    entries = dict(DYNAMIC_ENTRY.iter_unpack(image[offset : offset + size]))
    names, table = entries[DT_STRTAB], entries[DT_SYMTAB]
    found = {}
    for at in range(table, names, SYMBOL.size):
        if at + SYMBOL.size > names:
            break
        name, _, _, _, value, _ = SYMBOL.unpack_from(image, at)
        found[image[names + name : image.index(b"\0", names + name)].decode(errors="replace")] = value
    return found
