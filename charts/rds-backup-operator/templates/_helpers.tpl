{{- define "rds.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 52 characters, which leaves room for suffixes. */}}
{{- define "rds.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "rds.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "rds.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "rds.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "rds.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{- required "serviceAccount.name: with serviceAccount.create=false it says which ServiceAccount the operator runs as" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* The labels by which a Deployment selects pods; they never change with the version. */}}
{{- define "rds.selectorLabels" -}}
app.kubernetes.io/name: {{ include "rds.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "rds.labels" -}}
{{ include "rds.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: rds-backup-operator
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The annotations of an object's metadata: the common ones and those in .own. Empty if there are none. */}}
{{- define "rds.annotations" -}}
{{- with merge (deepCopy (default dict .own)) .root.Values.commonAnnotations }}
{{- printf "annotations:\n%s" (toYaml . | indent 2) | nindent 2 }}
{{- end }}
{{- end }}

{{- define "rds.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry -}}
{{- with $registry }}{{ . | trimSuffix "/" }}/{{ end }}{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end }}
{{- end }}

{{/* The Secrets that accounts read, each once, in order. */}}
{{- define "rds.secrets" -}}
{{- $names := list -}}
{{- range .Values.accounts }}{{ if eq .credentials.type "Secret" }}{{ $names = append $names .credentials.name }}{{ end }}{{ end -}}
{{- $names | uniq | sortAlpha | toJson }}
{{- end }}

{{/* The names of the Secrets that accounts read in the namespaces of the RdsBackups, each once, in order. */}}
{{- define "rds.tenantSecrets" -}}
{{- $names := list -}}
{{- range .Values.accounts }}{{ if eq .credentials.type "TenantSecret" }}{{ $names = append $names .credentials.name }}{{ end }}{{ end -}}
{{- $names | uniq | sortAlpha | toJson }}
{{- end }}

{{/* The right to read those Secrets, by name. The operator never lists or watches Secrets. */}}
{{- define "rds.tenantSecretRules" -}}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ include "rds.tenantSecrets" . }}
  verbs: [get]
{{- end }}

{{/* Whether the webhook of ACK gives the pods their token; else the chart does it, with rrsa.manual. */}}
{{- define "rds.rrsaByWebhook" -}}
{{- if and .Values.rrsa.enabled (not .Values.rrsa.manual.roleArn) }}true{{ end }}
{{- end }}

{{/* What the webhook reads of the ServiceAccount. */}}
{{- define "rds.rrsaAnnotations" -}}
{{- if include "rds.rrsaByWebhook" . }}
pod-identity.alibabacloud.com/role-name: {{ .Values.rrsa.roleName | quote }}
{{- end }}
{{- end }}

{{/* Where the projected token is, as the webhook has it. */}}
{{- define "rds.rrsaDirectory" -}}/var/run/secrets/ack.alibabacloud.com/rrsa-tokens{{- end }}

{{/* The configuration file. */}}
{{- define "rds.configuration" -}}
submissions: {{ .Values.submissions }}
metrics:
  perSchedule: {{ .Values.metrics.perSchedule }}
  instanceIds: {{ .Values.metrics.instanceIds }}
accounts:
  {{- toYaml .Values.accounts | nindent 2 }}
{{- end }}

{{/* Rules that the schema cannot state. `helm lint` does not apply them, so that the chart lints without accounts. */}}
{{- define "rds.check" -}}
{{- if not .Values.accounts }}
{{- fail "accounts: name at least one, or the operator cannot back up any instance. For example:\n\n  accounts:\n    default:\n      regionId: cn-hangzhou\n      credentials: { type: Secret, name: rds-access-key }\n      allow: [{ namespaces: [\"team-a\"], instances: [\"*\"], regions: [\"cn-hangzhou\"] }]\n" }}
{{- end }}
{{- if .Values.rrsa.enabled }}
{{- $manual := .Values.rrsa.manual }}
{{- if and .Values.rrsa.roleName (or $manual.roleArn $manual.oidcProviderArn) }}
{{- fail "rrsa: roleName is for the webhook ack-pod-identity-webhook, and manual for a cluster without it: give one of them" }}
{{- end }}
{{- if not (or .Values.rrsa.roleName (and $manual.roleArn $manual.oidcProviderArn)) }}
{{- fail "rrsa: give roleName, or, in a cluster without ack-pod-identity-webhook, manual.roleArn and manual.oidcProviderArn" }}
{{- end }}
{{- if and .Values.rrsa.roleName (not .Values.serviceAccount.create) }}
{{- fail "rrsa: the webhook reads the role's name from the ServiceAccount. This release does not create it: set rrsa.enabled to false, annotate it with pod-identity.alibabacloud.com/role-name, and add the label pod-identity.alibabacloud.com/injection: \"on\" to podLabels" }}
{{- end }}
{{- end }}
{{- if and (eq .Values.scope "namespaces") (not .Values.namespaces) }}
{{- fail "namespaces: with scope=namespaces it lists the namespaces whose RdsBackups the operator works on, for example namespaces={team-a,team-b}" }}
{{- end }}
{{- if and (eq .Values.scope "cluster") .Values.namespaces }}
{{- fail "namespaces: it is read only with scope=namespaces; set that, or leave namespaces empty to work on all of them" }}
{{- end }}
{{- with .Values.admissionPolicy }}
{{- if and .enabled (not .rules) (not .minScheduleInterval) }}
{{- fail "admissionPolicy: it refuses nothing yet: give rules, for example rules: [{ namespaces: [team-a], accounts: [default] }], or minScheduleInterval, or leave it disabled" }}
{{- end }}
{{- range $index, $rule := .rules }}
{{- if not (or $rule.namespaces $rule.namespaceLabels) }}
{{- fail (printf "admissionPolicy.rules[%d]: say which namespaces it is for, by namespaces or by namespaceLabels; namespaces: [\"*\"] is all of them" $index) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (gt (int .Values.replicaCount) 1) .Values.podDisruptionBudget.enabled (ge (int .Values.podDisruptionBudget.maxUnavailable) (int .Values.replicaCount)) }}
{{- fail "podDisruptionBudget.maxUnavailable: it must be less than replicaCount, or the budget allows every replica to go at once" }}
{{- end }}
{{- end }}

{{/* admissionPolicy.minScheduleInterval in minutes; 0 if it is empty. */}}
{{- define "rds.leastIntervalMinutes" -}}
{{- $interval := .Values.admissionPolicy.minScheduleInterval -}}
{{- if hasSuffix "h" $interval }}{{ mul (trimSuffix "h" $interval | int) 60 }}{{ else if $interval }}{{ trimSuffix "m" $interval }}{{ else }}0{{ end }}
{{- end }}

{{/* Whether a text is what a pattern says, in CEL: (list TEXT PATTERN). */}}
{{- define "rds.celFits" -}}
{{- $text := first . }}{{ $pattern := last . }}
{{- if hasSuffix "*" $pattern }}{{ $text }}.startsWith({{ trimSuffix "*" $pattern | squote }}){{ else }}{{ $text }} == {{ $pattern | squote }}{{ end }}
{{- end }}

{{/* The operator's rights on the objects of its kinds. */}}
{{- define "rds.objectRules" -}}
# RdsBackups are created and deleted only for the RdsBackupSchedules that name them; patched only for the operator's own finalizer.
# No spec of an object that stands is written.
- apiGroups: [rdsbackup.io]
  resources: [rdsbackups]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [rdsbackup.io]
  resources: [rdsbackupschedules]
  verbs: [get, list, watch]
- apiGroups: [rdsbackup.io]
  resources: [rdsbackups/status, rdsbackupschedules/status]
  verbs: [update]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{/* To compare the CRDs that are served with those of the release. */}}
{{- define "rds.crdRules" -}}
# An operator that is newer than its CRDs is not ready and says what to apply.
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  resourceNames: [rdsbackups.rdsbackup.io, rdsbackupschedules.rdsbackup.io]
  verbs: [get]
{{- end }}

{{/* The ClusterRole of an operator of some namespaces: releases of one name in several namespaces have one each. */}}
{{- define "rds.scopeRole" -}}
{{- printf "%s-%s-scope" .Release.Namespace (include "rds.fullname" .) }}
{{- end }}

{{/* The lease, as the operator names it: with a hash of its namespaces, where it watches only some. */}}
{{- define "rds.lease" -}}
rds-backup-operator
{{- if eq .Values.scope "namespaces" }}-{{ .Values.namespaces | uniq | sortAlpha | join "," | sha256sum | trunc 8 }}{{ end }}
{{- end }}

{{/* The lease's namespace, as the operator has it without --lease-namespace. */}}
{{- define "rds.leaseNamespace" -}}
{{- default (ternary "kube-system" .Release.Namespace (eq .Values.scope "cluster")) .Values.leaderElection.namespace }}
{{- end }}

{{/* The Role for the lease, whose namespace releases of one name in several namespaces share. */}}
{{- define "rds.leaseRole" -}}
{{- printf "%s-%s-lease" .Release.Namespace (include "rds.fullname" .) }}
{{- end }}

{{- define "rds.subject" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "rds.serviceAccountName" . }}
    namespace: {{ .Release.Namespace }}
{{- end }}
