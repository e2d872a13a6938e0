"""A context of the user's kubeconfig as a configured client, or one sentence on why it can't be one.

The official client reads the file: client certificates, proxies, several files in KUBECONFIG. Credential plugins are
left to ``login``: the client goes on without credentials when one fails, and the API server's "401 Unauthorized" would
then send the user looking in the wrong place.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client as kubernetes_client
from kubernetes import config as kubernetes_config
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

from meshkit.backends.kubeconfig_entries import DEFAULT
from meshkit.backends.login import Login
from meshkit.errors import MeshkitError, UsageError
from meshkit.platforms.catalogue import catalogue

MALFORMED = (KeyError, TypeError, AttributeError, ValueError, IndexError)
"""What the library raises on a kubeconfig whose parts have other types than it expects."""


def load(context: str, kubeconfig: str | None, *, person: bool = True) -> tuple[Any, Login | None]:
    """The client's configuration for the context, and its login (which it has had) when a plugin does that.

    ``person``: whether the plugin may ask a person to log in.
    UsageError for a kubeconfig that can't be used; what ``plugin.ask`` raises for a login that can't.
    """
    # The library's own default is KUBECONFIG as it was when the module was imported.
    files = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT
    try:
        return _load(context, files, person=person)
    except kubernetes_config.ConfigException as error:
        raise _config_error(context, error, files) from error
    except yaml.YAMLError as error:
        raise _not_yaml(error, files) from error
    except OSError as error:
        raise UsageError(
            f"the kubeconfig can't be read: {error.filename}: {error.strerror}", hint=f"ls -l {error.filename}"
        ) from error
    except MALFORMED as error:
        raise UsageError(
            f"{context}: the kubeconfig entry is malformed", hint="kubectl config view", detail=repr(error)
        ) from error


def pool(configuration: Any) -> Any:
    """A pool of connections with the configuration's trust, identity and proxy."""
    return kubernetes_client.ApiClient(configuration).rest_client.pool_manager


def _load(context: str, files: str, *, person: bool) -> tuple[Any, Login | None]:
    merged = KubeConfigMerger(files)
    # A refreshed OpenID Connect token replaces the one in the file, which could not be refreshed once more.
    loader = _Loader(merged.config, context, config_base_path=None, config_persister=merged.save_changes)
    configuration = kubernetes_client.Configuration()
    loader.load_and_set(configuration)
    login = loader.login(context, person=person)
    if login:
        login.apply(configuration)
    return configuration, login


class _Loader(KubeConfigLoader):  # type: ignore[misc]  # the library has no types
    """The library's reader of one context, which leaves credential plugins alone."""

    def login(self, context: str, *, person: bool) -> Login | None:
        """How the context's user logs in by a plugin; UsageError for a way that clients no longer have."""
        user = self._user.value if self._user else {}
        if "exec" in user:
            folder = Path(self._get_base_path(self._user.path))
            return Login(context, user["exec"], folder, self._cluster.value, person=person)
        return None

    def _load_auth_provider_token(self) -> Any:
        """UsageError for the providers that Kubernetes 1.26 removed: kubectl and helm refuse them as well."""
        provider = str((self._user.value.get("auth-provider") or {}).get("name", ""))
        successor = catalogue().providers.get(provider)
        if successor:
            raise UsageError(
                f"{self.current_context['name']}: the kubeconfig logs in by auth-provider {provider}, "
                "which Kubernetes clients no longer have",
                hint=f"write the entry anew: {successor}",
            )
        return super()._load_auth_provider_token()

    def _load_from_exec_plugin(self) -> None:
        """Nothing: see ``login``."""


def _config_error(context: str, error: Exception, files: str) -> MeshkitError:
    """An unreadable kubeconfig, or a context that is not in it, as a usage error that names those that are."""
    names = _contexts(files)
    if not names:
        return UsageError(
            f"no usable kubeconfig: {_lower(error)}", hint="set KUBECONFIG to a file that kubectl can use"
        )
    if context in names:
        return UsageError(f"{context}: the kubeconfig entry is not usable: {_lower(error)}", hint="kubectl config view")
    return UsageError(f"context {context!r} is not in the kubeconfig", hint=f"contexts there: {', '.join(names)}")


def _contexts(files: str) -> list[str]:
    """Names of the contexts in the kubeconfig, without anything in it having to be complete."""
    names: set[str] = set()
    for name in files.split(os.pathsep):
        try:
            content = yaml.safe_load(Path(name).expanduser().read_text(encoding="utf-8")) or {}
            names |= {str(entry["name"]) for entry in content.get("contexts") or ()}
        except (OSError, yaml.YAMLError, *MALFORMED):
            continue
    return sorted(names)


def _not_yaml(error: yaml.YAMLError, files: str) -> UsageError:
    mark = getattr(error, "problem_mark", None)
    where = f"{mark.name}, line {mark.line + 1}" if mark else files
    problem = getattr(error, "problem", None) or "unreadable"
    return UsageError(f"the kubeconfig is not YAML: {where}: {problem}", hint="kubectl config view")


def _lower(error: Exception) -> str:
    text = str(error).rstrip(".")
    return text[:1].lower() + text[1:]
