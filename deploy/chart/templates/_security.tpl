{{/* Which Secrets the worker reads. Those of Strimzi's user operator when nothing else is named. */}}

{{- define "trigger-engine.kafkaUser" -}}
{{- if and .Values.strimzi.enabled .Values.strimzi.user.enabled -}}
{{- include "trigger-engine.fullname" . -}}
{{- end -}}
{{- end -}}

{{- define "trigger-engine.usesTls" -}}
{{- if hasSuffix "SSL" .Values.kafka.security.protocol }}yes{{ end -}}
{{- end -}}

{{- define "trigger-engine.usesSasl" -}}
{{- if hasPrefix "SASL_" .Values.kafka.security.protocol }}yes{{ end -}}
{{- end -}}

{{- define "trigger-engine.caSecret" -}}
{{- if include "trigger-engine.usesTls" . -}}
{{- $strimzi := .Values.strimzi.enabled | ternary (printf "%s-cluster-ca-cert" .Values.strimzi.cluster) "" -}}
{{- .Values.kafka.security.tls.caSecretName | default $strimzi -}}
{{- end -}}
{{- end -}}

{{- define "trigger-engine.clientSecret" -}}
{{- if include "trigger-engine.usesTls" . -}}
{{- $isStrimzis := eq .Values.strimzi.user.authentication "tls" -}}
{{- .Values.kafka.security.tls.clientSecretName | default ($isStrimzis | ternary (include "trigger-engine.kafkaUser" .) "") -}}
{{- end -}}
{{- end -}}

{{- define "trigger-engine.usesOauth" -}}
{{- if and (include "trigger-engine.usesSasl" .) (eq .Values.kafka.security.sasl.mechanism "OAUTHBEARER") }}yes{{ end -}}
{{- end -}}

{{- define "trigger-engine.saslSecret" -}}
{{- if include "trigger-engine.usesSasl" . -}}
{{- .Values.kafka.security.sasl.secretName | default .Values.kafka.security.existingSecret | default (include "trigger-engine.kafkaUser" .) -}}
{{- end -}}
{{- end -}}

{{- define "trigger-engine.saslUsername" -}}
{{- .Values.kafka.security.sasl.username | default (include "trigger-engine.kafkaUser" .) -}}
{{- end -}}

{{/* Port of a URL. */}}
{{- define "trigger-engine.port" -}}
{{- $host := (urlParse .).host -}}
{{- regexMatch ":[0-9]+$" $host | ternary (regexFind "[0-9]+$" $host) (hasPrefix "https" . | ternary "443" "80") -}}
{{- end -}}

{{/* Sources of the projected volume with all secrets; nothing when there are none. */}}
{{- define "trigger-engine.secretSources" -}}
{{- $tls := .Values.kafka.security.tls -}}
{{- with include "trigger-engine.caSecret" . }}
- secret:
    name: {{ . }}
    items: [{key: {{ $tls.caKey | quote }}, path: ca.crt}]
{{- end }}
{{- with include "trigger-engine.clientSecret" . }}
- secret:
    name: {{ . }}
    items:
      - {key: {{ $tls.certKey | quote }}, path: client.crt}
      - {key: {{ $tls.keyKey | quote }}, path: client.key}
      {{- with $tls.keyPasswordKey }}
      - {key: {{ . | quote }}, path: client.key.password}
      {{- end }}
{{- end }}
{{- $oauth := .Values.kafka.security.sasl.oauth -}}
{{- if and (include "trigger-engine.usesOauth" .) $oauth.serviceAccountAudience }}
- serviceAccountToken: {audience: {{ $oauth.serviceAccountAudience | quote }}, expirationSeconds: 3600, path: sasl.token}
{{- end }}
{{- with include "trigger-engine.saslSecret" . }}
- secret:
    name: {{ . }}
    items: [{key: {{ $.Values.kafka.security.sasl.passwordKey | quote }}, path: sasl.password}]
{{- end }}
{{- with .Values.schemaRegistry }}
{{- if and .url .secretName }}
- secret:
    name: {{ .secretName }}
    items: [{key: {{ .passwordKey | quote }}, path: registry.password}]
{{- end }}
{{- if and .url .caSecretName }}
- secret:
    name: {{ .caSecretName }}
    items: [{key: {{ .caKey | quote }}, path: registry-ca.crt}]
{{- end }}
{{- end }}
{{- with .Values.web.tokenSecretName }}
- secret:
    name: {{ . }}
    items: [{key: {{ $.Values.web.tokenKey | quote }}, path: web.token}]
{{- end }}
{{- end -}}
