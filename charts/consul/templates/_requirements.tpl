{{/*
What a schema can't say in words that help: values that are needed, or that contradict each other. All are reported
at once. "helm lint" shows them as information, so the chart's own defaults are clean.
*/}}
{{- define "consul.requirements" -}}
{{- $faults := concat (include "consul.missing" . | fromJsonArray) (include "consul.contradictions" . | fromJsonArray) -}}
{{- if $faults -}}
{{- fail (printf "\n- %s" (join "\n- " $faults)) -}}
{{- end -}}
{{- end }}

{{- define "consul.missing" -}}
{{- $g := .Values.global -}}
{{- $needed := dict
  "global.tls.caCert.secretName (the CA's certificate)" $g.tls.caCert.secretName
  "global.gossipEncryption.secretName (the gossip key)" $g.gossipEncryption.secretName
  "global.acls.agentToken.secretName (the servers' own token)" $g.acls.agentToken.secretName
  "global.acls.dnsToken.secretName (the token of DNS questions)" $g.acls.dnsToken.secretName
  "server.serverCert.secretName (the servers' certificate)" .Values.server.serverCert.secretName -}}
{{- if include "consul.isPrimary" . -}}
{{- $_ := set $needed "global.acls.bootstrapToken.secretName (the management token, in the primary)" $g.acls.bootstrapToken.secretName -}}
{{- else -}}
{{- $_ := set $needed "global.acls.replicationToken.secretName (in a secondary)" $g.acls.replicationToken.secretName -}}
{{- $loaded := list -}}
{{- range .Values.server.extraVolumes -}}
{{- if .load -}}{{- $loaded = append $loaded .name -}}{{- end -}}
{{- end -}}
{{- $_ := set $needed "global.federation.primaryGateways (or server.extraVolumes with load, in a secondary)" (or $g.federation.primaryGateways $loaded) -}}
{{- end -}}
{{- if .Values.meshGateway.enabled -}}
{{- $_ := set $needed "meshGateway.wanAddress.static (the public address)" .Values.meshGateway.wanAddress.static -}}
{{- $_ := set $needed "meshGateway.aclToken.secretName (the gateway's token)" .Values.meshGateway.aclToken.secretName -}}
{{- end -}}
{{- $missing := list -}}
{{- range $key, $value := $needed -}}
{{- if not $value -}}{{- $missing = append $missing (printf "%s is not set" $key) -}}{{- end -}}
{{- end -}}
{{- toJson $missing -}}
{{- end }}

{{- define "consul.contradictions" -}}
{{- $federation := .Values.global.federation -}}
{{- $found := list -}}
{{- if and $federation.enabled (not .Values.meshGateway.enabled) -}}
{{- $found = append $found "global.federation.enabled needs meshGateway.enabled: datacenters meet at their gateways" -}}
{{- end -}}
{{- if and (not $federation.enabled) (not (include "consul.isPrimary" .)) -}}
{{- $found = append $found "global.federation.primaryDatacenter needs global.federation.enabled" -}}
{{- end -}}
{{- if and $federation.primaryGateways (include "consul.isPrimary" .) -}}
{{- $found = append $found "global.federation.primaryGateways is for secondaries: set primaryDatacenter, or leave it out in the primary" -}}
{{- end -}}
{{- toJson $found -}}
{{- end }}
