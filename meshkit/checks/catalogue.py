"""All checks, in the order in which an SRE reads them: nearest cause first."""

from meshkit.checks import clusters, gateways, servers, settings, trust, wan

CATALOGUE = (*clusters.CHECKS, *trust.CHECKS, *servers.CHECKS, *gateways.CHECKS, *wan.CHECKS, *settings.CHECKS)

CONVERGENCE = tuple(
    check for check in (*servers.CHECKS, *gateways.CHECKS, *wan.CHECKS, *settings.CHECKS) if check.on_failure == "fail"
)
"""What comes true by itself some seconds after an installation, and what ``federate`` therefore waits for."""
