{{- define "schedule.labels" -}}
app: mesh-probe
release: {{ .Release.Name }}
chart: {{ .Chart.Name }}-{{ .Chart.Version }}
heritage: {{ .Release.Service }}
{{- end }}

{{- define "schedule.podLabels" -}}
app: mesh-probe
component: job
release: {{ .Release.Name }}
{{- end }}

{{/* With a job's entry as .job beside the chart's own context as .root: what "agent.zip job" reads. */}}
{{- define "schedule.job" -}}
{{- $values := .root.Values -}}
{{- dict
  "source" $values.source
  "federation" $values.federation
  "probes" .job.probes
  "count" (int .job.count)
  "identity" (dict
    "server" (printf "https://%s-server-api:8501" $values.consulName)
    "server_name" (printf "server.%s.consul" $values.source)
    "ca" "/consul/tls/ca/ca.crt"
    "token_file" "/secrets/token/value"
    "service" $values.service
    "directory" "/identity")
  "kubernetes" (dict
    "namespace" .root.Release.Namespace
    "results" "mesh-probe-results"
    "segment_bytes" (int $values.segmentBytes))
  | toJson }}
{{- end }}
