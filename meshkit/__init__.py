"""meshkit: Kubernetes clusters in different clouds as one Consul service mesh, proven and measured."""

__version__ = "0.1.0"
