{{/* What a schema cannot say: values that are right each and wrong together. */}}
{{- define "trigger-engine.refuse" -}}
{{- $kafka := .Values.kafka -}}
{{- if not $kafka.bootstrapServers -}}
{{- fail "kafka.bootstrapServers: got nothing, expected host:port of the brokers" -}}
{{- end -}}
{{- if and (not .Values.keda.enabled) (gt (int .Values.workers) (int $kafka.partitions)) -}}
{{- fail (printf "workers: got %v, expected at most kafka.partitions, which is %v: a partition has one worker" .Values.workers $kafka.partitions) -}}
{{- end -}}
{{- if .Values.keda.enabled -}}
{{- if gt (int .Values.keda.maxWorkers) (int $kafka.partitions) -}}
{{- fail (printf "keda.maxWorkers: got %v, expected at most kafka.partitions, which is %v: a partition has one worker" .Values.keda.maxWorkers $kafka.partitions) -}}
{{- end -}}
{{- if gt (int .Values.keda.minWorkers) (int .Values.keda.maxWorkers) -}}
{{- fail (printf "keda.minWorkers: got %v, expected at most keda.maxWorkers, which is %v" .Values.keda.minWorkers .Values.keda.maxWorkers) -}}
{{- end -}}
{{- end -}}
{{- $least := .Values.keda.enabled | ternary .Values.keda.minWorkers .Values.workers | int -}}
{{- if and .Values.podDisruptionBudget.enabled (gt $least 1) (ge (int .Values.podDisruptionBudget.maxUnavailable) $least) -}}
{{- fail (printf "podDisruptionBudget.maxUnavailable: got %v, expected less than the %v workers there may be: one must stay" .Values.podDisruptionBudget.maxUnavailable $least) -}}
{{- end -}}
{{- if and .Values.strimzi.enabled (not .Values.strimzi.cluster) -}}
{{- fail "strimzi.cluster: got nothing, expected the name of the Kafka object" -}}
{{- end -}}
{{- $sasl := $kafka.security.sasl -}}
{{- if include "trigger-engine.usesOauth" . -}}
{{- if $sasl.oauth.serviceAccountAudience -}}
{{- if or $sasl.oauth.tokenUrl $sasl.secretName $kafka.security.existingSecret -}}
{{- fail "kafka.security.sasl.oauth: got serviceAccountAudience and a token endpoint, expected one of them" -}}
{{- end -}}
{{- if .Values.keda.enabled -}}
{{- fail "keda.enabled: KEDA has no ServiceAccount's token of this audience, expected kafka.security.sasl.oauth.tokenUrl" -}}
{{- end -}}
{{- else if not (and $sasl.oauth.tokenUrl $sasl.oauth.clientId (include "trigger-engine.saslSecret" .)) -}}
{{- fail "kafka.security.sasl: got not all of oauth.tokenUrl, oauth.clientId and secretName, expected them with OAUTHBEARER" -}}
{{- end -}}
{{- else if include "trigger-engine.usesSasl" . -}}
{{- if not (include "trigger-engine.saslSecret" .) -}}
{{- fail (printf "kafka.security.sasl.secretName: got nothing, expected a Secret with the password, with protocol %s" $kafka.security.protocol) -}}
{{- end -}}
{{- if not (include "trigger-engine.saslUsername" .) -}}
{{- fail (printf "kafka.security.sasl.username: got nothing, expected a name, with protocol %s" $kafka.security.protocol) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.strimzi.enabled .Values.strimzi.user.enabled -}}
{{- $needed := eq .Values.strimzi.user.authentication "tls" | ternary (list "SSL") (list "SASL_SSL" "SASL_PLAINTEXT") -}}
{{- if not (has $kafka.security.protocol $needed) -}}
{{- fail (printf "kafka.security.protocol: got %s, expected %s with strimzi.user.authentication %s" $kafka.security.protocol (join " or " $needed) .Values.strimzi.user.authentication) -}}
{{- end -}}
{{- if and (eq .Values.strimzi.user.authentication "scram-sha-512") (ne $kafka.security.sasl.mechanism "SCRAM-SHA-512") -}}
{{- fail (printf "kafka.security.sasl.mechanism: got %s, expected SCRAM-SHA-512 with strimzi.user.authentication scram-sha-512" $kafka.security.sasl.mechanism) -}}
{{- end -}}
{{- end -}}
{{- with .Values.schemaRegistry -}}
{{- if and (not .url) (or .username .secretName .caSecretName) -}}
{{- fail "schemaRegistry.url: got nothing, expected a URL with the other values" -}}
{{- end -}}
{{- if ne (empty .username) (empty .secretName) -}}
{{- fail "schemaRegistry.username and schemaRegistry.secretName: got one of them, expected both" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.podMonitor.enabled .Values.serviceMonitor.enabled -}}
{{- fail "podMonitor and serviceMonitor: got both, expected one: every worker would be counted twice" -}}
{{- end -}}
{{- $topics := list -}}
{{- range (include "trigger-engine.topics" . | fromYaml).topics }}{{ $topics = append $topics .name }}{{ end -}}
{{- range $logical, $_ := $kafka.topicNames -}}
{{- if not (has $logical $topics) -}}
{{- fail (printf "kafka.topicNames.%s: got a topic that is not known, expected one of %s" $logical (join ", " $topics)) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.rules.existingConfigMap (or .Values.rules.content .Values.rules.shadow .Values.rules.extraFiles) -}}
{{- fail "rules.existingConfigMap: got it and content of the chart's own, expected one of them" -}}
{{- end -}}
{{- end -}}
