"""One run of a credential plugin: the program in a kubeconfig's ``exec`` section, such as ``aws eks get-token``.

The protocol is https://kubernetes.io/docs/reference/config-api/client-authentication.v1/. The official client runs
plugins too, but waits for ever for one that hangs, and goes on without credentials when one fails. What a plugin prints
to stdout is a secret and is never shown; of stderr, the lines are shown with what looks like a token left out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from meshkit.errors import ForbiddenError, MeshkitError, UnreachableError, UsageError
from meshkit.platforms.catalogue import catalogue

DEADLINE_S = 30.0
PERSON_S = 300.0
"""Programs answer in seconds; a person who signs in with a browser or a code needs minutes."""

LINES_SHOWN = 20
_SECRET = re.compile(r"eyJ[\w-]+\.[\w-]+(\.[\w-]*)?|k8s-aws-v1\.[\w-]+|ya29\.[\w.-]+|[A-Za-z0-9+/_=-]{64,}")
"""JSON Web Tokens, those of EKS and of Google, and whatever is long enough to be one."""

_asking = threading.Lock()
"""One plugin at a time speaks with the person at the terminal."""


@dataclass(frozen=True)
class Credential:
    """What a plugin answered: a token, or a client certificate with its key (PEM). ``expires`` is in UTC."""

    token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    expires: datetime | None = None


def ask(context: str, spec: Mapping[str, Any], folder: Path, cluster: Mapping[str, Any], *, person: bool) -> Credential:
    """Run the plugin of a context. ``folder`` is the kubeconfig's, ``cluster`` that entry of it.

    ``person``: whether a person may be asked to log in, where there is a terminal.

    UsageError when it is missing, UnreachableError when it hangs, ForbiddenError when it fails or answers nonsense.
    """
    command = str(spec["command"])
    environment = os.environ | {str(item["name"]): str(item["value"]) for item in spec.get("env") or ()}
    program = _found(context, command, folder, environment, str(spec.get("installHint") or ""))
    interactive = _is_interactive(context, spec, program, person=person)
    environment["KUBERNETES_EXEC_INFO"] = json.dumps(_info(spec, cluster, interactive=interactive))
    argv = [program, *(str(argument) for argument in spec.get("args") or ())]
    if interactive:
        with _asking:
            code, out, err = _run(context, argv, environment, interactive=True)
    else:
        code, out, err = _run(context, argv, environment, interactive=False)
    if code:
        raise _failed(context, program, f"failed with exit code {code}", err)
    return _credential(context, program, str(spec["apiVersion"]), out, err)


def _found(context: str, command: str, folder: Path, environment: Mapping[str, str], hint: str) -> str:
    """The program's path: one with a slash starts at the kubeconfig's folder, as for kubectl."""
    path = str(folder / command) if os.sep in command else command
    found = shutil.which(path, path=environment.get("PATH"))
    if found:
        return found
    known = catalogue().plugins.get(Path(command).name)
    raise UsageError(
        f"{context}: the kubeconfig logs in with {command}, which is not installed or can't be run",
        hint=known.install if known else hint or f"install {command} and put it on PATH",
    )


def _is_interactive(context: str, spec: Mapping[str, Any], program: str, *, person: bool) -> bool:
    """Whether the plugin may speak with a person: both ends must be a terminal, since stdout is data here."""
    mode = spec.get("interactiveMode", "IfAvailable")
    terminal = person and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    if mode == "Always" and not terminal:
        raise UsageError(
            f"{context}: {Path(program).name} asks a person to log in, and nobody can be asked here",
            hint=f"log in before, at a terminal: {_login(context, program)}",
        )
    return terminal and mode != "Never"


def _info(spec: Mapping[str, Any], cluster: Mapping[str, Any], *, interactive: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"interactive": interactive}
    if spec.get("provideClusterInfo"):
        told["cluster"] = {key: value for key, value in cluster.items() if key != "extensions"}
        for extension in cluster.get("extensions") or ():
            if extension.get("name") == "client.authentication.k8s.io/exec":
                told["cluster"]["config"] = extension.get("extension")
    return {"apiVersion": spec["apiVersion"], "kind": "ExecCredential", "spec": told}


def _run(context: str, argv: list[str], environment: Mapping[str, str], *, interactive: bool) -> tuple[int, str, str]:
    """Exit code, stdout and stderr; whatever the plugin has started is ended with it at the deadline."""
    limit = PERSON_S if interactive else DEADLINE_S
    try:
        process = subprocess.Popen(
            argv,
            env=dict(environment),
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if interactive else subprocess.PIPE,
            start_new_session=not interactive,  # a session of its own would take the terminal from it
        )
    except OSError as error:
        raise _failed(context, argv[0], f"can't be run: {(error.strerror or '').lower()}", "") from error
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired as error:
        _end(process, group=not interactive)
        raise UnreachableError(
            f"{context}: {Path(argv[0]).name}, with which the kubeconfig logs in, did not end within {limit:g} s",
            hint=f"see what it waits for: kubectl --context {context} get namespaces",
        ) from error
    except BaseException:
        _end(process, group=not interactive)
        raise
    return process.returncode, out.decode(errors="replace"), (err or b"").decode(errors="replace")


def _end(process: subprocess.Popen[bytes], *, group: bool) -> None:
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()
    process.wait()


def _credential(context: str, program: str, version: str, out: str, err: str) -> Credential:
    """The answer as a credential; the answer itself is in no error."""
    try:
        answer = json.loads(out)
        status = answer["status"]
        told = str(answer.get("apiVersion"))
        expires = _moment(status.get("expirationTimestamp"))
        held = Credential(
            str(status.get("token") or ""),
            str(status.get("clientCertificateData") or ""),
            str(status.get("clientKeyData") or ""),
            expires,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _failed(context, program, "printed no credential that can be read", err) from None
    if told != version:
        raise _failed(context, program, f"answered in {_masked(told)}, the kubeconfig says {version}", err)
    if not held.token and not (held.certificate and held.key):
        raise _failed(context, program, "gave neither a token nor a client certificate with its key", err)
    return held


def _moment(text: str | None) -> datetime | None:
    """RFC 3339; ValueError for anything else."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


def _failed(context: str, program: str, what: str, err: str) -> MeshkitError:
    """A plugin's failure, with its own first line."""
    lines = [_masked(line.rstrip()) for line in err.splitlines() if line.strip()][:LINES_SHOWN]
    said = f": {lines[0]}" if lines else ""
    return ForbiddenError(
        f"{context}: {Path(program).name}, with which the kubeconfig logs in, {what}{said}",
        hint=f"log in again: {_login(context, program)}",
        detail="\n".join(lines[1:]),
    )


def _login(context: str, program: str) -> str:
    known = catalogue().plugins.get(Path(program).name)
    return known.login if known else f"kubectl --context {context} get namespaces says more"


def _masked(text: str) -> str:
    return _SECRET.sub("...", "".join(c if c.isprintable() else "?" for c in text))
