{{/* Labels of the official chart, by which Services, policies and people find the parts. */}}
{{- define "consul.selector" -}}
app: consul
component: {{ .component }}
release: {{ .root.Release.Name }}
{{- end }}

{{- define "consul.labels" -}}
{{ include "consul.selector" . }}
chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
heritage: {{ .root.Release.Service }}
{{- end }}

{{- define "consul.primary" -}}
{{ .Values.global.federation.primaryDatacenter | default .Values.global.datacenter }}
{{- end }}

{{- define "consul.isPrimary" -}}
{{ if eq (include "consul.primary" .) .Values.global.datacenter }}true{{ end }}
{{- end }}

{{/* What every container may not do. */}}
{{- define "consul.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "consul.podSecurity" -}}
runAsNonRoot: true
runAsUser: 100
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "consul.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- tpl . $.root | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- tpl . $.root | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* The servers' configuration without its secrets, which an init container adds from mounted files. */}}
{{- define "consul.config" -}}
{{- $g := .Values.global -}}
{{- $join := list -}}
{{- range $i := until (int .Values.server.replicas) -}}
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
  "bootstrap_expect" (int .Values.server.replicas)
  "retry_join" $join
  "retry_interval" "1s"
  "retry_interval_wan" "1s"
  "disable_update_check" true
  "leave_on_terminate" false
  "performance" (dict "raft_multiplier" 1)
  "ports" (dict "http" -1 "https" 8501 "grpc" -1 "grpc_tls" 8503 "server" 8300 "serf_lan" 8301 "serf_wan" 8302 "dns" 8600)
  "tls" (dict
    "defaults" (dict "verify_outgoing" true "ca_file" "/consul/tls/ca/ca.crt" "cert_file" "/consul/tls/server/tls.crt" "key_file" "/consul/tls/server/tls.key")
    "internal_rpc" (dict "verify_incoming" true "verify_server_hostname" true))
  "connect" (dict "enabled" true "enable_mesh_gateway_wan_federation" $g.federation.enabled)
  "acl" $acl
-}}
{{- if include "consul.isPrimary" . -}}
{{- $defaults := dict "kind" "proxy-defaults" "name" "global" "mesh_gateway" (dict "mode" "local") -}}
{{- $_ := set $config "config_entries" (dict "bootstrap" (list $defaults)) -}}
{{- else -}}
{{- $_ := set $config "primary_gateways" $g.federation.primaryGateways -}}
{{- $_ := set $config "primary_gateways_interval" "1s" -}}
{{- end -}}
{{- mergeOverwrite $config (.Values.server.extraConfig | fromJson) | toPrettyJson -}}
{{- end }}
