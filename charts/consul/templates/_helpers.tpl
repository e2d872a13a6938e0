{{/* Names as the official chart defines them, for affinity and annotations texts that were written for it. */}}
{{- define "consul.name" -}}consul{{- end }}
{{- define "consul.fullname" -}}{{ .Values.global.name }}{{- end }}

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

{{/* The name by which the kubelet tells pods a Service's address: (dict "name" NAME). */}}
{{- define "consul.addressVariable" -}}
{{ .name | upper | replace "-" "_" }}_SERVICE_HOST
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

{{/* Where pods go: (dict "root" $ "component" NAME "part" VALUES). */}}
{{- define "consul.placement" -}}
{{- with .part.nodeSelector }}
nodeSelector:
  {{- tpl . $.root | nindent 2 }}
{{- end }}
{{- with .part.tolerations }}
tolerations:
  {{- tpl . $.root | nindent 2 }}
{{- end }}
{{- with .part.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- tpl . $.root | nindent 2 }}
{{- end }}
{{- with .part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
affinity:
  {{- if .part.affinity }}
  {{- tpl .part.affinity .root | nindent 2 }}
  {{- else }}
  podAntiAffinity:
    # Preferred, not required: a one-node cluster must still get all of its pods.
    preferredDuringSchedulingIgnoredDuringExecution:
      {{- range $key, $weight := dict "kubernetes.io/hostname" 100 "topology.kubernetes.io/zone" 50 }}
      - weight: {{ $weight }}
        podAffinityTerm:
          topologyKey: {{ $key }}
          labelSelector:
            matchLabels: {{- include "consul.selector" $ | nindent 14 }}
      {{- end }}
  {{- end }}
{{- end }}
