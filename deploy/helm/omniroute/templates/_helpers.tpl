{{- define "omniroute.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "omniroute.labels" -}}
app.kubernetes.io/name: omniroute
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
