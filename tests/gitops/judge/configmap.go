package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

const group = "rdsbackup.io"

var kinds = []string{"RdsBackup", "RdsBackupSchedule"}

const header = `# Generated from the .lua files beside it; CONTRIBUTING.md says how. Do not edit.
# Health and actions of both kinds for Argo CD. It adds keys to argocd-cm and leaves the others alone:
#   kubectl apply --server-side --field-manager=rds-backup-operator -f deploy/argocd/argocd-cm.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
  labels:
    app.kubernetes.io/name: argocd-cm
    app.kubernetes.io/part-of: argocd
data:
`

// renderConfigMap makes the patch of argocd-cm from the scripts.
func renderConfigMap(dir string) (string, error) {
	text := header
	for _, kind := range kinds {
		health, err := os.ReadFile(filepath.Join(dir, "health", kind+".lua"))
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf("  resource.customizations.health.%s_%s: |\n%s", group, kind, indented(string(health), 4))
	}
	for _, kind := range kinds {
		actions, err := renderActions(filepath.Join(dir, "actions", kind))
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf("  resource.customizations.actions.%s_%s: |\n%s", group, kind, indented(actions, 4))
	}
	return text, nil
}

func renderActions(dir string) (string, error) {
	discovery, err := os.ReadFile(filepath.Join(dir, "discovery.lua"))
	if err != nil {
		return "", err
	}
	text := "discovery.lua: |\n" + indented(string(discovery), 2) + "definitions:\n"
	files, err := filepath.Glob(filepath.Join(dir, "*.lua"))
	if err != nil {
		return "", err
	}
	slices.Sort(files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".lua")
		if name == "discovery" {
			continue
		}
		script, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		text += "- name: " + name + "\n  action.lua: |\n" + indented(string(script), 4)
	}
	return text, nil
}

func indented(text string, by int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			out.WriteString(strings.Repeat(" ", by))
		}
		out.WriteString(line)
	}
	return out.String()
}

// customizations is what Argo CD knows of one kind.
type customizations struct {
	health    string
	discovery string
	actions   map[string]string
}

// readConfigMap finds the customizations in argocd-cm as Argo CD's settings do, by "group/Kind".
func readConfigMap(data map[string]string) (map[string]customizations, error) {
	found := map[string]customizations{}
	for key, text := range data {
		// resource.customizations.<type>.<group_kind>
		parts := strings.SplitN(key, ".", 4)
		if len(parts) < 4 || parts[0]+"."+parts[1] != "resource.customizations" {
			continue
		}
		groupKind := strings.Split(parts[3], "_")
		if len(groupKind) != 2 {
			return nil, fmt.Errorf("%s: not <group>_<kind>", key)
		}
		name := groupKind[0] + "/" + groupKind[1]
		kind := found[name]
		switch parts[2] {
		case "health":
			kind.health = text
		case "actions":
			var actions struct {
				Discovery   string `json:"discovery.lua"`
				Definitions []struct {
					Name   string `json:"name"`
					Script string `json:"action.lua"`
				} `json:"definitions"`
			}
			if err := yaml.UnmarshalStrict([]byte(text), &actions); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			kind.discovery, kind.actions = actions.Discovery, map[string]string{}
			for _, action := range actions.Definitions {
				kind.actions[action.Name] = action.Script
			}
		default:
			return nil, fmt.Errorf("%s: Argo CD has no customization of that type here", key)
		}
		found[name] = kind
	}
	return found, nil
}

// loadConfigMap reads argocd-cm as the API server returned it. What it holds must be what the scripts in dir are, and argocd-cm.yaml too.
func loadConfigMap(file, dir string) (map[string]customizations, error) {
	rendered, err := renderConfigMap(dir)
	if err != nil {
		return nil, err
	}
	committed, err := os.ReadFile(filepath.Join(dir, "argocd-cm.yaml"))
	if err != nil {
		return nil, err
	}
	if string(committed) != rendered {
		return nil, fmt.Errorf("argocd-cm.yaml in %s is not what its scripts make: generate it again (CONTRIBUTING.md)", dir)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var configMap struct {
		Data map[string]string `json:"data"`
	}
	if err := json.Unmarshal(raw, &configMap); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return readConfigMap(configMap.Data)
}
