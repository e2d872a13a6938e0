"""Writing what was rendered: a tree for everybody, and Secrets for nobody else."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from meshkit.errors import MeshkitError, UsageError
from meshkit.federation.gitops import text
from meshkit.federation.gitops.rendering import Rendering
from meshkit.federation.private_folder import PrivateFolder


def refuse_within(secrets: Path, tree: Path | None) -> None:
    """UsageError when Secrets would end up in a tree that is to be committed."""
    if tree and (secrets.resolve() == tree.resolve() or tree.resolve() in secrets.resolve().parents):
        raise UsageError(f"{secrets} is in the tree that is to be committed", hint="--secrets takes a folder elsewhere")
    folder = next((p for p in (secrets.resolve(), *secrets.resolve().parents) if (p / ".git").exists()), None)
    if folder:
        raise UsageError(f"{secrets} is in the git repository {folder}", hint="--secrets takes a folder elsewhere")


def write_secrets(folder: Path, renderings: Sequence[Rendering]) -> tuple[Path, ...]:
    """Every Secret in a file of its own with mode 0600, in a folder with mode 0700."""
    private, written = PrivateFolder(folder), []
    for one in renderings:
        for secret in one.secrets or ():
            name = f"{one.datacenter.name}.{secret['metadata']['name']}.yaml"
            private.write(name, text.document(secret).encode())
            written.append(folder / name)
    return tuple(written)


def write_tree(folder: Path, files: Mapping[str, str], charts: Mapping[str, Path]) -> tuple[Path, ...]:
    """Files and charts below a folder; what else is there stays."""
    try:
        for path, content in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
        for path, source in charts.items():
            _copy_chart(source, folder / path)
    except OSError as error:
        raise MeshkitError(f"{folder} can't be written: {error.strerror}", hint=f"ls -ld {folder}") from error
    return tuple(folder / path for path in (*files, *charts))


def _copy_chart(source: Path, target: Path) -> None:
    """A chart's folder, or what an archive holds, in the place of what was there of it."""
    with tempfile.TemporaryDirectory() as scratch:
        if source.is_file():
            try:
                with tarfile.open(source) as archive:
                    archive.extractall(scratch, filter="data")
            except tarfile.TarError as error:
                raise MeshkitError(f"{source} is no archive of a chart", hint="helm pull gets one") from error
            found = next((path.parent for path in Path(scratch).glob("*/Chart.yaml")), None)
            if found is None:
                raise MeshkitError(f"{source} holds no chart", hint="helm pull gets one")
            source = found
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
