{{/* Names and labels. */}}

{{- define "trigger-engine.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for what is put behind it: claims are called state-NAME-NUMBER. */}}
{{- define "trigger-engine.fullname" -}}
{{- $name := include "trigger-engine.name" . -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- .Values.fullnameOverride | default $full | trunc 48 | trimSuffix "-" -}}
{{- end -}}

{{- define "trigger-engine.selectorLabels" -}}
app.kubernetes.io/name: {{ include "trigger-engine.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: worker
{{- end -}}

{{- define "trigger-engine.labels" -}}
{{ include "trigger-engine.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "trigger-engine.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "trigger-engine.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "trigger-engine.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "trigger-engine.rulesConfigMap" -}}
{{- .Values.rules.existingConfigMap | default (printf "%s-rules" (include "trigger-engine.fullname" .)) -}}
{{- end -}}

{{- define "trigger-engine.hasShadow" -}}
{{- if or .Values.rules.shadow (and .Values.rules.existingConfigMap .Values.rules.hasShadow) }}yes{{ end -}}
{{- end -}}

{{/* Name on the broker of a logical topic: (list $ "orders"). */}}
{{- define "trigger-engine.topic" -}}
{{- $kafka := (index . 0).Values.kafka -}}
{{- get $kafka.topicNames (index . 1) | default (printf "%s%s" $kafka.topicPrefix (index . 1)) -}}
{{- end -}}

{{/*
Every topic, as YAML with a list `topics`: the lines of files/topics.yaml, and a line like that of
orders for each input topic that the rules declare under `events:`. What the rules of a ConfigMap
kept elsewhere declare is in kafka.declaredTopics.
*/}}
{{- define "trigger-engine.topics" -}}
{{- $topics := (.Files.Get "files/topics.yaml" | fromYaml).topics -}}
{{- $names := list -}}
{{- $input := dict -}}
{{- range $topics -}}
{{- $names = append $names .name -}}
{{- if eq .name "orders" }}{{ $input = . }}{{ end -}}
{{- end -}}
{{- $declared := .Values.kafka.declaredTopics -}}
{{- if not .Values.rules.existingConfigMap -}}
{{- $rules := .Values.rules.content | default (.Files.Get "files/rules.yaml") | fromYaml -}}
{{- $declared = concat $declared (keys (get $rules "events" | default dict)) -}}
{{- end -}}
{{- range $declared | uniq | sortAlpha -}}
{{- if not (has . $names) -}}
{{- $topics = append $topics (merge (dict "name" .) $input) -}}
{{- end -}}
{{- end -}}
{{- dict "topics" $topics | toYaml -}}
{{- end -}}

{{/* The same for a line of files/topics.yaml: internal topics start with the app id. */}}
{{- define "trigger-engine.topicOf" -}}
{{- $root := index . 0 -}}
{{- $line := index . 1 -}}
{{- if $line.isInternal -}}
{{ $root.Values.kafka.appId }}-{{ $line.name }}
{{- else -}}
{{ include "trigger-engine.topic" (list $root $line.name) }}
{{- end -}}
{{- end -}}
