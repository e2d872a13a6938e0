"""Limits of the machine that several nodes on one kernel reach, raised where they are lower.

Each kubelet, containerd and CoreDNS watches files; Debian allows 128 inotify instances per user, which about ten
nodes use up ("inotify_init: too many open files"). kind's users know it as
https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files. Limits are never lowered, and
stay until the machine restarts.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

WANTED = {"max_user_instances": 1024, "max_user_watches": 524_288}


def ensure(folder: Path = Path("/proc/sys/fs/inotify")) -> None:
    """Raise what is too low; where that is forbidden, the node says later which limit it ran into."""
    for name, wanted in WANTED.items():
        file = folder / name
        with contextlib.suppress(OSError):
            if int(file.read_text()) < wanted:
                file.write_text(f"{wanted}\n")
