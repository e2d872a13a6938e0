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

{{- define "probe.service" -}}
{{- dict "Node" "mesh-probe" "Address" "@POD_IP@" "Service" (dict
  "ID" .Values.service "Service" .Values.service "Address" "@POD_IP@" "Port" 8080) | toPrettyJson }}
{{- end }}

{{- define "probe.sidecar" -}}
{{- $upstreams := list -}}
{{- range .Values.upstreams -}}
{{- $upstreams = append $upstreams (dict
  "DestinationName" .service "Datacenter" .datacenter "LocalBindAddress" "@POD_IP@" "LocalBindPort" (int .port)
  "MeshGateway" (dict "Mode" "local")) -}}
{{- end -}}
{{- $proxy := dict
  "DestinationServiceName" .Values.service "DestinationServiceID" .Values.service
  "LocalServiceAddress" "127.0.0.1" "LocalServicePort" 8080 "Upstreams" $upstreams -}}
{{- $name := printf "%s-sidecar-proxy" .Values.service -}}
{{- dict "Node" "mesh-probe" "Address" "@POD_IP@" "Service" (dict
  "Kind" "connect-proxy" "ID" $name "Service" $name "Address" "@POD_IP@" "Port" 20000 "Proxy" $proxy) | toPrettyJson }}
{{- end }}

{{/* The echo: HTTP answers with who it is, TCP sends back what it gets; both behind the sidecar, on loopback. */}}
{{- define "probe.echo" -}}
{{- $body := dict "service" .Values.service "datacenter" .Values.datacenter | toJson -}}
{{- $route := dict
  "match" (dict "prefix" "/")
  "direct_response" (dict "status" 200 "body" (dict "inline_string" (printf "%s\n" $body))) -}}
{{- $hosts := list (dict "name" "echo" "domains" (list "*") "routes" (list $route)) -}}
{{- $router := dict "name" "router" "typed_config" (dict
  "@type" "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router") -}}
{{- $http := dict "name" "http" "typed_config" (dict
  "@type" "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
  "stat_prefix" "echo" "route_config" (dict "virtual_hosts" $hosts) "http_filters" (list $router)) -}}
{{- $tcp := dict "name" "echo" "typed_config" (dict
  "@type" "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo") -}}
{{- $listeners := list
  (dict "name" "http" "address" (dict "socket_address" (dict "address" "127.0.0.1" "port_value" 8080))
    "filter_chains" (list (dict "filters" (list $http))))
  (dict "name" "tcp" "address" (dict "socket_address" (dict "address" "127.0.0.1" "port_value" 9090))
    "filter_chains" (list (dict "filters" (list $tcp)))) -}}
{{- dict "static_resources" (dict "listeners" $listeners) | toPrettyJson }}
{{- end }}
