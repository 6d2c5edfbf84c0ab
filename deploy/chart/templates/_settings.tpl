{{/* The worker's settings: TRIGGER_* variables of its container. */}}
{{- define "trigger-engine.env" -}}
{{- $secrets := "/etc/trigger/secrets" -}}
- name: TRIGGER_INSTANCE_ID
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- $env := dict
  "BOOTSTRAP_SERVERS" .Values.kafka.bootstrapServers
  "APP_ID" .Values.kafka.appId
  "PARTITIONS" .Values.kafka.partitions
  "REPLICATION_FACTOR" .Values.kafka.replicationFactor
  "SECURITY_PROTOCOL" .Values.kafka.security.protocol
  "DATA_DIR" "/var/lib/trigger"
  "RULES" "/etc/trigger/rules/rules.yaml"
  "LOG_FORMAT" "json"
  "LOG_LEVEL" .Values.logLevel
  "WEB_HOST" .Values.web.host
  "WEB_PORT" .Values.web.port
  "WEB_URL" (printf "http://$(TRIGGER_INSTANCE_ID).%s.%s.svc:%v" (include "trigger-engine.fullname" .) .Release.Namespace .Values.web.port)
-}}
{{- with .Values.kafka.topicPrefix }}{{ $_ := set $env "TOPIC_PREFIX" . }}{{ end -}}
{{- range $logical, $actual := .Values.kafka.topicNames -}}
{{- $_ := set $env (printf "TOPIC_%s" ($logical | upper | replace "-" "_" | replace "." "_")) $actual -}}
{{- end -}}
{{- if include "trigger-engine.hasShadow" . }}{{ $_ := set $env "SHADOW" "/etc/trigger/rules/shadow.yaml" }}{{ end -}}
{{- if include "trigger-engine.caSecret" . }}{{ $_ := set $env "SSL_CAFILE" (printf "%s/ca.crt" $secrets) }}{{ end -}}
{{- if include "trigger-engine.clientSecret" . -}}
{{- $_ := set $env "SSL_CERTFILE" (printf "%s/client.crt" $secrets) -}}
{{- $_ := set $env "SSL_KEYFILE" (printf "%s/client.key" $secrets) -}}
{{- if .Values.kafka.security.tls.keyPasswordKey -}}
{{- $_ := set $env "SSL_KEY_PASSWORD_FILE" (printf "%s/client.key.password" $secrets) -}}
{{- end -}}
{{- end -}}
{{- if include "trigger-engine.usesSasl" . -}}
{{- $oauth := .Values.kafka.security.sasl.oauth -}}
{{- $_ := set $env "SASL_MECHANISM" .Values.kafka.security.sasl.mechanism -}}
{{- if not (include "trigger-engine.usesOauth" .) -}}
{{- $_ := set $env "SASL_USERNAME" (include "trigger-engine.saslUsername" .) -}}
{{- $_ := set $env "SASL_PASSWORD_FILE" (printf "%s/sasl.password" $secrets) -}}
{{- else if $oauth.serviceAccountAudience -}}
{{- $_ := set $env "SASL_TOKEN_FILE" (printf "%s/sasl.token" $secrets) -}}
{{- else -}}
{{- $_ := set $env "SASL_TOKEN_URL" $oauth.tokenUrl -}}
{{- $_ := set $env "SASL_CLIENT_ID" $oauth.clientId -}}
{{- $_ := set $env "SASL_CLIENT_SECRET_FILE" (printf "%s/sasl.password" $secrets) -}}
{{- with $oauth.scope }}{{ $_ := set $env "SASL_SCOPE" . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- with .Values.schemaRegistry -}}
{{- if .url }}{{ $_ := set $env "SCHEMA_REGISTRY_URL" .url }}{{ end -}}
{{- if and .url .secretName -}}
{{- $_ := set $env "SCHEMA_REGISTRY_USERNAME" .username -}}
{{- $_ := set $env "SCHEMA_REGISTRY_PASSWORD_FILE" (printf "%s/registry.password" $secrets) -}}
{{- end -}}
{{- if and .url .caSecretName }}{{ $_ := set $env "SCHEMA_REGISTRY_CAFILE" (printf "%s/registry-ca.crt" $secrets) }}{{ end -}}
{{- end -}}
{{- with .Values.otlpEndpoint }}{{ $_ := set $env "OTLP_ENDPOINT" . }}{{ end -}}
{{- if .Values.web.tokenSecretName }}{{ $_ := set $env "WEB_TOKEN_FILE" (printf "%s/web.token" $secrets) }}{{ end -}}
{{- range $name, $value := .Values.settings -}}
{{- if hasKey $env $name -}}
{{- fail (printf "settings.%s: the chart sets it itself, from another value" $name) -}}
{{- end -}}
{{- $_ := set $env $name $value -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if or (eq .name "TRIGGER_INSTANCE_ID") (hasKey $env (trimPrefix "TRIGGER_" .name)) -}}
{{- if hasPrefix "TRIGGER_" .name -}}
{{- fail (printf "extraEnv: %s: the chart sets it itself, from another value" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := $env }}
- name: TRIGGER_{{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
