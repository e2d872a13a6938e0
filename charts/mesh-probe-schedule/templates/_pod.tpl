{{- define "schedule.pod" -}}
restartPolicy: Never
serviceAccountName: {{ .root.Release.Name }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 10
securityContext:
  runAsNonRoot: true
  runAsUser: 100
  runAsGroup: 1000
  fsGroup: 1000
  seccompProfile: {type: RuntimeDefault}
  # Echo requests without a capability, for the group that the agent runs as.
  sysctls: [{name: net.ipv4.ping_group_range, value: "1000 1000"}]
containers:
  - name: agent
    image: {{ .root.Values.imagePython }}
    imagePullPolicy: {{ .root.Values.imagePullPolicy }}
    command: [python3, /agent/agent.zip, job, --config, /config/job.json, --name, {{ .job.name }}]
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      {{- if .root.Values.netRaw }}
      runAsUser: 0
      runAsNonRoot: false
      capabilities: {drop: [ALL], add: [NET_RAW]}
      {{- else }}
      capabilities: {drop: [ALL]}
      {{- end }}
    resources: {{- toYaml .root.Values.resources | nindent 6 }}
    volumeMounts:
      - {name: agent, mountPath: /agent, readOnly: true}
      - {name: config, mountPath: /config, readOnly: true}
      - {name: ca, mountPath: /consul/tls/ca, readOnly: true}
      - {name: token, mountPath: /secrets/token, readOnly: true}
      - {name: api, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
      - {name: identity, mountPath: /identity}
      - {name: tmp, mountPath: /tmp}
volumes:
  - name: agent
    configMap: {name: {{ .root.Values.archive }}}
  - name: config
    configMap: {name: {{ .root.Release.Name }}-jobs, items: [{key: {{ .job.name }}.json, path: job.json}]}
  - name: identity
    emptyDir: {medium: Memory, sizeLimit: 1Mi}
  - name: tmp
    emptyDir: {sizeLimit: 16Mi}
  - name: api
    projected:
      defaultMode: 0440
      sources:
        - serviceAccountToken: {path: token, expirationSeconds: 3600}
        - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
  - name: ca
    secret:
      secretName: {{ .root.Values.caCert.secretName }}
      defaultMode: 0440
      items: [{key: {{ .root.Values.caCert.secretKey }}, path: ca.crt}]
  - name: token
    secret:
      secretName: {{ .root.Values.aclToken.secretName }}
      defaultMode: 0440
      items: [{key: {{ .root.Values.aclToken.secretKey }}, path: value}]
{{- end }}
