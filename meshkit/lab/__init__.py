"""Local clusters: real one-node Kubernetes clusters in network namespaces, with an emulated WAN between."""
