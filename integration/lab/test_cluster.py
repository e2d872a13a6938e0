"""A lab cluster is a real one: what applications and charts rely on works."""

from __future__ import annotations

import subprocess
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from clusters import WEB_PORT, Lab, pod, service, web

from meshkit.lab import images, register, toolchain
from meshkit.lab.waiting import wait_until

pytestmark = pytest.mark.lab

ADDRESS = "jsonpath={.status.loadBalancer.ingress[0].ip}"
IDLE = "sleep 3600"

Namespace = Callable[[str], str]


def fetch(url: str) -> bytes:
    """What this machine gets over HTTP."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - an address of the lab
        return bytes(answer.read())


class TestLoadBalancer:
    """Services of type LoadBalancer."""

    def test_has_an_address_that_answers_to_the_machine_and_to_the_other_cloud(
        self, lab: Lab, namespace: Namespace
    ) -> None:
        """The address is the node's; the machine and a pod in the other cluster both get the pod's answer."""
        here, there = lab.names
        space, other = namespace(here), namespace(there)
        lab.apply(here, space, web(), service("web", "LoadBalancer", 8081))
        lab.kubectl(here, "-n", space, "wait", "svc/web", f"--for={ADDRESS}", "--timeout=30s")
        address = lab.kubectl(here, "-n", space, "get", "svc/web", "-o", ADDRESS)
        assert address == register.find(here).address
        assert fetch(f"http://{address}:8081/") == b"hello\n"
        lab.apply(there, other, pod("client", IDLE))
        got = lab.kubectl(there, "-n", other, "exec", "client", "--", "wget", "-qO-", f"http://{address}:8081/")
        assert got == "hello\n"

    def test_has_none_when_its_port_is_the_api_servers(self, lab: Lab, namespace: Namespace) -> None:
        """A Service that wants port 6443 waits, one that was made after it does not."""
        here = lab.names[0]
        space = namespace(here)
        lab.apply(here, space, service("greedy", "LoadBalancer", 6443), service("modest", "LoadBalancer", 8082))
        lab.kubectl(here, "-n", space, "wait", "svc/modest", f"--for={ADDRESS}", "--timeout=30s")
        assert lab.kubectl(here, "-n", space, "get", "svc/greedy", "-o", ADDRESS) == ""


class TestLoad:
    """Images from archives."""

    def test_a_pod_runs_from_an_image_that_was_loaded_under_a_short_name(
        self, lab: Lab, namespace: Namespace, tmp_path: Path
    ) -> None:
        """In the cluster that was named, and in no other."""
        here, there = lab.names
        name = f"shop/t-{tmp_path.name.replace('_', '-')}:1"
        image = images.Image(name, {}, "100:1000", ("/bin/sleep", "3600"))
        images._write_archive(image, tmp_path / "web.tar")
        lab.meshkit("lab", "load", str(tmp_path / "web.tar"), "--cluster", here)
        for context in (here, there):
            where = ("-n", namespace(context))
            lab.kubectl(context, *where, "run", "loaded", f"--image={name}", "--image-pull-policy=Never")
        lab.kubectl(here, *where, "wait", "pod/loaded", "--for=condition=Ready", "--timeout=60s")
        reason = "jsonpath={.status.containerStatuses[0].state.waiting.reason}=ErrImageNeverPull"
        lab.kubectl(there, *where, "wait", "pod/loaded", f"--for={reason}", "--timeout=60s")


class TestWebhook:
    """What the API server asks before it takes an object."""

    def test_is_reached_in_a_pod_through_its_service(self, lab: Lab, namespace: Namespace) -> None:
        """The one here speaks no TLS, which the API server can only know from its answer."""
        here = lab.names[0]
        space = namespace(here)
        lab.apply(here, space, web(), service("web", "ClusterIP", 443))
        hook = {
            "name": "web.example.test",
            "clientConfig": {"service": {"name": "web", "namespace": space}},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
        try:
            lab.apply(here, space, {**kind, "metadata": {"name": space}, "webhooks": [hook]})
            wait_until(lambda: "server gave HTTP response" in refusal(lab, here, space), 30, "an answer of the webhook")
        finally:
            lab.kubectl(here, "delete", "validatingwebhookconfiguration", space, "--ignore-not-found")


def refusal(lab: Lab, context: str, space: str) -> str:
    """Why a Secret is not taken, empty when it is."""
    try:
        lab.kubectl(context, "-n", space, "create", "secret", "generic", f"s-{uuid.uuid4().hex[:8]}")
    except AssertionError as error:
        return str(error)
    return ""


class TestVolume:
    """PersistentVolumeClaims of the default class."""

    def test_outlives_its_pod_and_is_wiped_with_its_claim(self, lab: Lab, namespace: Namespace) -> None:
        """What uid 100 writes the next pod reads; once the claim is gone so are the volume and its folder."""
        here = lab.names[0]
        space = namespace(here)
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        mount = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
        lab.apply(here, space, claim, pod("writer", f"id -u > /data/uid; {IDLE}", container=mount, volumes=volumes))
        lab.kubectl(here, "-n", space, "wait", "pod/writer", "--for=condition=Ready", "--timeout=60s")
        volume = lab.get(here, "-n", space, "pvc", "data")["spec"]["volumeName"]
        folder = Path(lab.get(here, "pv", volume)["spec"]["hostPath"]["path"])
        lab.kubectl(here, "-n", space, "delete", "pod", "writer")
        lab.apply(here, space, pod("reader", f"cat /data/uid; {IDLE}", container=mount, volumes=volumes))
        assert lab.kubectl(here, "-n", space, "logs", "reader") == "100\n"
        assert (folder / "uid").exists()
        lab.kubectl(here, "-n", space, "delete", "pod/reader", "pvc/data")
        lab.kubectl(here, "wait", f"pv/{volume}", "--for=delete", "--timeout=30s")
        assert not folder.exists()


class TestWorkloads:
    """What controllers and kubectl do with pods."""

    @pytest.mark.slow
    def test_a_cron_job_runs_to_completion(self, lab: Lab, namespace: Namespace) -> None:
        """A schedule of every minute has a first success within two."""
        here = lab.names[0]
        space = namespace(here)
        template = pod("unused", "echo done")["spec"] | {"restartPolicy": "Never"}
        job = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "tick"},
            "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": template}}}},
        }
        lab.apply(here, space, job)
        success = "--for=jsonpath={.status.lastSuccessfulTime}"
        lab.kubectl(here, "-n", space, "wait", "cronjob/tick", success, "--timeout=120s")

    def test_exec_logs_and_port_forward_work(self, lab: Lab, namespace: Namespace) -> None:
        """All three go through the API server to the kubelet with its real authentication."""
        here = lab.names[0]
        space = namespace(here)
        lab.apply(here, space, web())
        assert lab.kubectl(here, "-n", space, "exec", "web", "--", "cat", "/tmp/www/index.html") == "hello\n"  # noqa: S108 - in the pod
        assert "response:200" in lab.kubectl(here, "-n", space, "logs", "web")
        target = ("--context", here, "-n", space, "port-forward", "pod/web", f":{WEB_PORT}")
        command = [str(toolchain.tool("kubectl")), *target]
        with subprocess.Popen(command, env=lab.environment, stdout=subprocess.PIPE, text=True) as forward:
            try:
                assert forward.stdout is not None
                address = forward.stdout.readline().split()[2]  # Forwarding from 127.0.0.1:41234 -> 8080
                assert fetch(f"http://{address}/") == b"hello\n"
            finally:
                forward.kill()

    def test_names_of_services_resolve_in_pods(self, lab: Lab, namespace: Namespace) -> None:
        """CoreDNS answers for a Service and for the API server, and admits that it knows no other name."""
        here = lab.names[0]
        space = namespace(here)
        lab.apply(here, space, web(), service("web", "ClusterIP", 80), pod("client", IDLE))
        run = ("-n", space, "exec", "client", "--")
        assert lab.kubectl(here, *run, "wget", "-qO-", "http://web/") == "hello\n"
        api = f"{register.find(here).service_prefix}.0.1"
        assert api in lab.kubectl(here, *run, "nslookup", "kubernetes.default.svc.cluster.local")
        assert "can't find" in lab.kubectl(here, *run, "nslookup", "nowhere.invalid", check=False)
