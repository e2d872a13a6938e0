{{- define "probe.selector" -}}
app: mesh-probe
release: {{ .Release.Name }}
{{- end }}

{{- define "probe.labels" -}}
{{ include "probe.selector" . }}
chart: {{ .Chart.Name }}-{{ .Chart.Version }}
heritage: {{ .Release.Service }}
{{- end }}

{{- define "probe.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "probe.podSecurity" -}}
runAsNonRoot: true
runAsUser: 100
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "probe.service" -}}
{{- dict "Node" "mesh-probe" "Address" "@POD_IP@" "Service" (dict
  "ID" .Values.service "Service" .Values.service "Address" "@POD_IP@" "Port" 8080) | toPrettyJson }}
{{- end }}

{{/*
Upstreams listen on every address of the pod: on the pod's own for requests through the API server's pod proxy, on
loopback for port forwards. Who may come in by the first way is up to the NetworkPolicy.
*/}}
{{- define "probe.sidecar" -}}
{{- $upstreams := list -}}
{{- range .Values.upstreams -}}
{{- $upstreams = append $upstreams (dict
  "DestinationName" .service "Datacenter" .datacenter "LocalBindAddress" "0.0.0.0" "LocalBindPort" (int .port)
  "MeshGateway" (dict "Mode" "local")) -}}
{{- end -}}
{{/* Ready after 2 s, not Envoy's 15, where another cloud can't be reached yet: its endpoints come when they come. */}}
{{- $proxy := dict
  "Config" (dict "xds_fetch_timeout_ms" 2000)
  "DestinationServiceName" .Values.service "DestinationServiceID" .Values.service
  "LocalServiceAddress" "127.0.0.1" "LocalServicePort" 8080 "Upstreams" $upstreams -}}
{{- $name := printf "%s-sidecar-proxy" .Values.service -}}
{{- dict "Node" "mesh-probe" "Address" "@POD_IP@" "Service" (dict
  "Kind" "connect-proxy" "ID" $name "Service" $name "Address" "@POD_IP@" "Port" 20000 "Proxy" $proxy) | toPrettyJson }}
{{- end }}

{{/*
The echo, on loopback behind the sidecar. One port does both, so that one service, one certificate and one intention
serve every kind of probe: what begins as HTTP is answered with who it is, anything else is sent back as it came
(after a second when it could still become HTTP).
*/}}
{{- define "probe.echo" -}}
{{- $type := "type.googleapis.com/envoy.extensions.filters" -}}
{{- $body := dict "service" .Values.service "datacenter" .Values.datacenter | toJson -}}
{{- $route := dict
  "match" (dict "prefix" "/")
  "direct_response" (dict "status" 200 "body" (dict "inline_string" (printf "%s\n" $body))) -}}
{{- $routes := list $route -}}
{{- $clusters := list -}}
{{- if .Values.agent.enabled -}}
{{/* What the agent sees, for its peers: they reach it through the mesh, by the same port as the echo. */}}
{{- $routes = prepend $routes (dict "match" (dict "path" "/view") "route" (dict "cluster" "agent" "timeout" "5s")) -}}
{{- $address := dict "socket_address" (dict "address" "127.0.0.1" "port_value" (include "probe.agentPort" . | int)) -}}
{{- $endpoints := list (dict "endpoint" (dict "address" $address)) -}}
{{- $clusters = list (dict "name" "agent" "type" "STATIC" "connect_timeout" "1s" "load_assignment" (dict
  "cluster_name" "agent" "endpoints" (list (dict "lb_endpoints" $endpoints)))) -}}
{{- end -}}
{{- $hosts := list (dict "name" "echo" "domains" (list "*") "routes" $routes) -}}
{{- $router := dict "name" "router" "typed_config" (dict "@type" (printf "%s.http.router.v3.Router" $type)) -}}
{{- $http := dict "name" "http" "typed_config" (dict
  "@type" (printf "%s.network.http_connection_manager.v3.HttpConnectionManager" $type)
  "stat_prefix" "echo" "common_http_protocol_options" (dict "max_requests_per_connection" 1) "route_config" (dict "virtual_hosts" $hosts) "http_filters" (list $router)) -}}
{{- $tcp := dict "name" "echo" "typed_config" (dict "@type" (printf "%s.network.echo.v3.Echo" $type)) -}}
{{- $inspector := dict "name" "http" "typed_config" (dict
  "@type" (printf "%s.listener.http_inspector.v3.HttpInspector" $type)) -}}
{{- $listener := dict
  "name" "echo"
  "address" (dict "socket_address" (dict "address" "127.0.0.1" "port_value" 8080))
  "listener_filters" (list $inspector)
  "listener_filters_timeout" "1s"
  "continue_on_listener_filters_timeout" true
  "filter_chains" (list
    (dict "filter_chain_match" (dict "application_protocols" (list "http/1.0" "http/1.1" "h2c")) "filters" (list $http)))
  "default_filter_chain" (dict "filters" (list $tcp)) -}}
{{- dict "static_resources" (dict "listeners" (list $listener) "clusters" $clusters) | toPrettyJson }}
{{- end }}

{{/* Below the upstreams' ports, which begin at 9101. */}}
{{- define "probe.agentPort" -}}
9100
{{- end }}

{{- define "probe.agentSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
{{- if .Values.agent.netRaw }}
# Kubernetes gives an added capability to uid 0 only.
runAsUser: 0
runAsNonRoot: false
capabilities: {drop: [ALL], add: [NET_RAW]}
{{- else }}
capabilities: {drop: [ALL]}
{{- end }}
{{- end }}

{{- define "probe.agent" -}}
{{- $peers := dict -}}
{{- range .Values.upstreams -}}
{{- $_ := set $peers .datacenter (printf "http://127.0.0.1:%d/view" (int .port)) -}}
{{- end -}}
{{- dict
  "source" .Values.datacenter
  "federation" .Values.agent.federation
  "listen" (include "probe.agentPort" . | int)
  "identity" (dict
    "server" (printf "https://%s-server-api:8501" .Values.consulName)
    "server_name" (printf "server.%s.consul" .Values.datacenter)
    "ca" "/consul/tls/ca/ca.crt"
    "token_file" "/secrets/token/value"
    "service" .Values.service
    "directory" "/identity")
  "kubernetes" (dict
    "namespace" .Release.Namespace
    "schedule" (printf "%s-schedule" .Release.Name)
    "results" (printf "%s-results" .Release.Name)
    "segments" (int .Values.agent.results.segments)
    "segment_bytes" (int .Values.agent.results.segmentBytes))
  "peers" $peers
  "otlp" (dict
    "endpoint" .Values.agent.otlp.endpoint
    "interval_s" (int .Values.agent.otlp.intervalSeconds))
  | toPrettyJson }}
{{- end }}

{{/* files/rules.yaml with the thresholds in their places; Prometheus' own {{ }} are left alone. */}}
{{- define "probe.rules" -}}
{{- $rules := .Files.Get "files/rules.yaml" | replace "@source@" .Values.datacenter -}}
{{- range $name, $value := .Values.monitoring.thresholds -}}
{{- $rules = $rules | replace (printf "@%s@" $name) (toString $value) -}}
{{- end -}}
{{- regexReplaceAll "(?m)^#.*\n" $rules "" }}
{{- end }}
