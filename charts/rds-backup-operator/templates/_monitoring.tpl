{{/* "true" where an object of the Prometheus Operator is to be rendered: .enabled, and the cluster knows its kind or .renderMode says so. */}}
{{- define "rds.monitoring" -}}
{{- $given := get .root.Values.metrics .value }}
{{- if $given.enabled }}
{{- $known := .root.Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}
{{- if and (not $known) (eq $given.renderMode "failIfMissing") }}
{{- fail (printf "metrics.%s: the cluster has no monitoring.coreos.com/v1. Install the Prometheus Operator's CRDs, or set metrics.%s.renderMode=skipIfMissing" .value .value) }}
{{- end }}
{{- if or $known (eq $given.renderMode "alwaysRender") }}true{{ end }}
{{- end }}
{{- end }}

{{/* The job label of the operator's series, whoever scrapes them: a ServiceMonitor gives the name of its Service. */}}
{{- define "rds.job" -}}
{{ include "rds.fullname" . }}-metrics
{{- end }}

{{/* The groups of files/alerts.yaml as the values want them. */}}
{{- define "rds.alerts" -}}
{{- $given := .Values.metrics.prometheusRule }}
{{- $text := .Files.Get "files/alerts.yaml" }}
{{- range $name, $value := merge (dict "job" (include "rds.job" .) "namespace" .Release.Namespace) $given.thresholds }}
{{- $text = replace (printf "${%s}" $name) (toString $value) $text }}
{{- end }}
{{- $groups := list }}
{{- range $group := (fromYaml $text).groups }}
{{- $rules := list }}
{{- range $rule := $group.rules }}
{{- if not (has $rule.alert $given.disabled) }}
{{- $severity := default $rule.labels.severity (get $given.severity $rule.alert) }}
{{- $url := printf "%s/%s.md" (trimSuffix "/" $given.runbookBaseUrl) $rule.alert }}
{{- $_ := set $rule "for" (default (get $rule "for") (get $given.for $rule.alert)) }}
{{- $_ := set $rule "labels" (merge (dict "severity" $severity) $given.alertLabels) }}
{{- $_ := set $rule.annotations "runbook_url" $url }}
{{- $rules = append $rules $rule }}
{{- end }}
{{- end }}
{{- with $rules }}
{{- $groups = append $groups (dict "name" $group.name "rules" .) }}
{{- end }}
{{- end }}
{{- toYaml (dict "groups" $groups) }}
{{- end }}
