{{- define "standin.rules" -}}
{{- if not .Values.connectInject.enabled }}{{ fail "connectInject.enabled must be true" }}{{ end -}}
{{- if and .Values.global.federation.enabled (not .Values.global.tls.enabled) }}{{ fail "If global.federation.enabled is true, global.tls.enabled must be true because federation is only supported with TLS enabled" }}{{ end -}}
{{- end }}

{{- define "standin.labels" -}}
app: consul
chart: consul-helm
heritage: {{ .root.Release.Service }}
release: {{ .root.Release.Name }}
component: {{ .component }}
{{- end }}

{{- define "standin.pod" -}}
metadata:
  labels: {{- include "standin.labels" . | nindent 4 }}
spec:
  restartPolicy: {{ .restart | default "Always" }}
  containers:
    - name: {{ .component }}
      image: {{ .image }}
{{- end }}
