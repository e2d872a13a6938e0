"""Changes of gateways, the network and certificates."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from fakes import changes
from fakes import evidence as seen
from fakes.cases import HEAVY, NO_REPLY, Case
from fakes.clock import START
from fakes.evidence import FAR, REFUSED, TIMEOUT
from meshkit.trace import measures
from meshkit.trace.evidence import Measured

DAY_S = 86400.0
UNSEARCHED = Measured("timeout_reply", "mtu: did not end in time")
HALF = Measured("timeout_connect", sent=40, failed=19)
FAR_AWAY = Measured("ok", rtt_s=0.6, sent=40)

CASES = (
    Case("gateway_down", "source gateway", lambda e: seen.closed(seen.with_source(e, gateway_ready=0, gateway=None))),
    Case("gateway_not_known", "source gateway", changes.views({"gateways": {"eks": (seen.EKS,)}})),
    Case("gateway_critical", "source gateway", changes.views({"gateways_critical": seen.CRITICAL})),
    Case("gateway_critical", "remote gateway", changes.views(None, {"gateways_critical": seen.CRITICAL})),
    Case("gateway_pod_unreachable", "source gateway", changes.gateway_pod(measures.SOURCE_POD)),
    Case("gateway_pod_unreachable", "remote gateway", changes.gateway_pod(measures.DESTINATION_POD)),
    Case(
        "gateway_pod_unreachable",
        "remote gateway",
        changes.passes(changes.gateway_pod(measures.DESTINATION_POD)),
        "degraded",
    ),
    Case("gateway_partly_reachable", "network", changes.measured(THERE=HALF)),
    Case("gateway_partly_reachable", "network", changes.passes(changes.measured(BACK=HALF)), "degraded"),
    Case(
        "gateway_wrong_address",
        "network",
        lambda e: seen.with_measured(
            changes.views({"gateways": {"aks": (("203.0.113.9", 443),)}})(e), AT_REMOTE_GATEWAY=REFUSED
        ),
    ),
    Case(
        "gateway_wrong_inside_address",
        "source gateway",
        lambda e: seen.with_measured(
            changes.views({"lan_gateways": (("10.43.1.99", 443),)})(e), SOURCE_GATEWAY=TIMEOUT
        ),
    ),
    Case(
        "service_address_dead",
        "remote gateway",
        changes.measured(DESTINATION_GATEWAY=REFUSED, THERE=TIMEOUT, BACK=TIMEOUT),
    ),
    Case(
        "packets_dropped",
        "source gateway",
        lambda e: seen.closed(
            replace(
                e,
                measured=dict(e.measured)
                | {measures.SOURCE_GATEWAY: TIMEOUT, measures.SOURCE_GATEWAY + measures.POD: TIMEOUT},
            )
        ),
    ),
    Case(
        "packets_dropped",
        "source gateway",
        lambda e: seen.with_request(
            changes.counted(e, sidecar={f"cluster.{FAR}.upstream_cx_total": 1}, gateway={}), **NO_REPLY
        ),
    ),
    Case("packets_dropped", "network", changes.leaving_vanishes),
    Case("packets_dropped", "network", lambda e: seen.with_request(changes.leaving_vanishes(e), **NO_REPLY)),
    Case(
        "packets_dropped",
        "remote sidecar",
        lambda e: seen.with_proxy(
            changes.measured(AT_OWN_GATEWAY=Measured("timeout_tls"))(e), "destination sidecar", counters={}
        ),
    ),
    Case("packets_dropped", "remote sidecar", changes.measured(SIDECAR=TIMEOUT)),
    Case("gateway_no_route", "source gateway", changes.envoy("source gateway", clusters={})),
    Case("gateway_unknown_service", "remote gateway", changes.envoy("destination gateway", clusters={})),
    Case(
        "sni_unknown",
        "remote gateway",
        changes.envoy("destination gateway", counters={"listener.0.0.0.0_8443.no_filter_chain_match": 1}),
    ),
    Case(
        "gateway_degraded",
        "remote gateway",
        lambda e: seen.with_destination(e, gateway_ready=1, gateway_desired=2),
        "degraded",
    ),
    Case("link_cut", "network", changes.cut(source=False, destination=False)),
    Case("link_cut", "network", changes.cut(source=None, destination=None)),
    Case("link_cut_one_way", "network", changes.cut(source=True, destination=False)),
    Case("link_cut_one_way", "network", changes.cut(source=False, destination=True)),
    Case("gateway_port_blocked", "network", changes.measured(THERE=TIMEOUT)),
    Case("gateway_port_refused", "network", changes.measured(THERE=Measured("refused", failed=40, sent=40))),
    Case(
        "packet_loss", "network", changes.passes(changes.measured(THERE=Measured("ok", sent=40, resent=3))), "degraded"
    ),
    Case("packet_loss", "network", changes.passes(changes.measured(THERE=HEAVY)), "degraded"),
    Case("packet_loss", "network", changes.measured(THERE=HEAVY)),
    Case(
        "mtu_black_hole",
        "network",
        lambda e: seen.with_request(
            seen.with_measured(e, MTU=Measured("ok", answers=("mtu 1400, larger packets vanish without a word",))),
            **NO_REPLY,
        ),
    ),
    Case(
        "mtu_black_hole",
        "network",
        changes.measured(MTU=UNSEARCHED, AT_REMOTE_GATEWAY=Measured("timeout_tls")),
    ),
    Case("handshake_blocked", "network", changes.measured(AT_REMOTE_GATEWAY=Measured("timeout_tls"))),
    Case("handshake_blocked", "network", changes.measured(AT_REMOTE_GATEWAY=Measured("reset"))),
    Case("tls_differs", "remote sidecar", changes.estranged({f"cluster.{FAR}.ssl.connection_error": 1}, {})),
    Case("tls_differs", "remote sidecar", changes.estranged({}, {"listener.10.42.0.5_20000.ssl.connection_error": 1})),
    Case("leaf_expired", "remote sidecar", changes.leaf("destination sidecar", not_after=START - timedelta(hours=1))),
    Case("leaf_expired", "source sidecar", changes.leaf("source sidecar", not_after=START - timedelta(hours=1))),
    Case(
        "leaf_not_yet_valid",
        "remote sidecar",
        changes.leaf("destination sidecar", not_before=START + timedelta(hours=1)),
    ),
    Case(
        "leaf_expiring",
        "remote sidecar",
        changes.passes(changes.leaf("destination sidecar", not_after=START + timedelta(hours=1))),
        "degraded",
    ),
    Case(
        "trust_domain_differs",
        "remote sidecar",
        changes.leaf("destination sidecar", spiffe="spiffe://other.consul/ns/default/dc/aks/svc/backend"),
    ),
    Case(
        "wrong_san",
        "remote sidecar",
        changes.leaf("destination sidecar", spiffe=f"spiffe://{seen.DOMAIN}/ns/default/dc/aks/svc/other"),
    ),
    Case("roots_differ", "remote sidecar", changes.views(None, {"roots": frozenset({"d"})})),
    Case("roots_differ", "remote sidecar", changes.envoy("destination sidecar", trusted=frozenset({"d"}))),
    Case("roots_differ", "remote sidecar", changes.measured(AT_SIDECAR=Measured("tls_untrusted"))),
    Case("server_ca_differs", "planes", lambda e: seen.closed(seen.with_source(e, ca="cd"))),
    Case("gossip_key_differs", "planes", lambda e: seen.closed(seen.with_source(e, gossip="cd"))),
    Case("gossip_key_differs", "planes", changes.passes(lambda e: seen.with_destination(e, gossip="cd")), "degraded"),
    Case(
        "network_slow",
        "network",
        lambda e: seen.with_request(seen.with_measured(e, THERE=FAR_AWAY), **NO_REPLY),
    ),
    Case(
        "network_slow", "network", lambda e: seen.with_measured(e, THERE=Measured("ok", rtt_s=0.6, sent=40)), "degraded"
    ),
    Case(
        "gateway_unaddressed",
        "network",
        lambda e: seen.closed(
            seen.with_measured(seen.with_destination(e, gateway_unaddressed=True, gateway_address=None), THERE=TIMEOUT)
        ),
    ),
    Case("gateway_unaddressed", "network", lambda e: seen.with_source(e, gateway_unaddressed=True), "degraded"),
    Case("packets_dropped", "remote sidecar", changes.measured(SIDECAR=REFUSED)),
    Case("connect_timeout_short", "source sidecar", changes.impatient),
    Case("root_expired", "remote sidecar", changes.views({"root_ends": START - timedelta(days=1)})),
    Case("clock_skew", "planes", lambda e: seen.with_source(e, skew_s=900.0), "degraded"),
    Case(
        "clock_skew", "planes", lambda e: seen.with_source(seen.with_destination(e, skew_s=90), skew_s=91), "degraded"
    ),
    Case("clock_skew", "source gateway", changes.skewed("source gateway", -60.0), "degraded"),
    Case("clock_skew", "remote sidecar", lambda e: seen.closed(changes.skewed("destination sidecar", 4 * DAY_S)(e))),
    Case("gateway_deselected", "remote gateway", lambda e: seen.closed(seen.with_destination(e, deselected=("mesh",)))),
    Case(
        "gateway_wrong_address",
        "network",
        lambda e: seen.with_measured(
            seen.with_views(e, {}, {"gateways": {"eks": (("203.0.113.9", 443),)}}), BACK=TIMEOUT
        ),
        "degraded",
    ),
)
