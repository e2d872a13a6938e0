{{/*
The servers' configuration without its secrets, which files/server.sh adds from mounted files.

leave_on_terminate is off: a server that leaves is forgotten by the other datacenters, and a primary whose only server
left is never joined again (hashicorp/consul#12658). A server that merely stops is expected back under its name.
For the same reason autopilot keeps the seats of all replicas: one that restarts is not to be replaced.
*/}}
{{- define "consul.config" -}}
{{- $g := .Values.global -}}
{{- $replicas := int .Values.server.replicas -}}
{{- $join := list -}}
{{- range $i := until $replicas -}}
{{- $join = append $join (printf "%s-server-%d.%s-server.%s.svc" $g.name $i $g.name $.Release.Namespace) -}}
{{- end -}}
{{- $acl := dict "enabled" true "default_policy" "deny" "down_policy" "extend-cache" "enable_token_persistence" false -}}
{{- if not (include "consul.isPrimary" .) -}}
{{- $_ := set $acl "enable_token_replication" true -}}
{{- end -}}
{{- $config := dict
  "datacenter" $g.datacenter
  "primary_datacenter" (include "consul.primary" .)
  "domain" "consul"
  "server" true
  "data_dir" "/consul/data"
  "bind_addr" "0.0.0.0"
  "client_addr" "0.0.0.0"
  "log_level" $g.logLevel
  "bootstrap_expect" $replicas
  "retry_join" $join
  "retry_interval" "1s"
  "retry_interval_wan" "250ms"
  "disable_update_check" true
  "leave_on_terminate" false
  "performance" (dict "raft_multiplier" 1)
  "ports" (dict "http" -1 "https" 8501 "grpc" -1 "grpc_tls" 8503 "server" 8300 "serf_lan" 8301 "serf_wan" 8302 "dns" 8600)
  "recursors" $g.recursors
  "dns_config" (dict "allow_stale" true "node_ttl" "5s" "service_ttl" (dict "*" "5s"))
  "tls" (dict
    "defaults" (dict "verify_outgoing" true "ca_file" "/consul/tls/ca/ca.crt" "cert_file" "/consul/tls/server/tls.crt" "key_file" "/consul/tls/server/tls.key")
    "internal_rpc" (dict "verify_incoming" true "verify_server_hostname" true))
  "connect" (dict "enabled" true "enable_mesh_gateway_wan_federation" $g.federation.enabled)
  "acl" $acl
-}}
{{- if gt $replicas 1 -}}
{{- $_ := set $config "autopilot" (dict "min_quorum" $replicas) -}}
{{- end -}}
{{- if include "consul.isPrimary" . -}}
{{- $defaults := dict "kind" "proxy-defaults" "name" "global" "mesh_gateway" (dict "mode" "local") -}}
{{- $_ := set $config "config_entries" (dict "bootstrap" (list $defaults)) -}}
{{- else -}}
{{- $_ := set $config "primary_gateways" $g.federation.primaryGateways -}}
{{- $_ := set $config "primary_gateways_interval" "1s" -}}
{{- end -}}
{{- mergeOverwrite $config (include "consul.extraConfig" . | fromJson) | toPrettyJson -}}
{{- end }}

{{/* fromJson does not fail: it returns what went wrong under the key "Error", which is no key of Consul's. */}}
{{- define "consul.extraConfig" -}}
{{- $text := tpl .Values.server.extraConfig . -}}
{{- with (fromJson $text).Error -}}
{{- fail (printf "server.extraConfig is not a JSON object: %s" .) -}}
{{- end -}}
{{- $text -}}
{{- end }}
