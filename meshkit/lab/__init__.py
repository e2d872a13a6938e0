"""Local clusters: one real one-node Kubernetes cluster per name, in network namespaces, with an emulated WAN between."""
