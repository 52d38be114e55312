package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type inputs struct {
	configMap, scripts, recordings, history, expected, patches string
}

// situation is one row of the table, and the name of one recording.
type situation struct{ kind, name string }

// verdict is what the two tools make of an object.
type verdict struct{ flux, argo, actions string }

// verdicts prints the table and fails on everything that is not as expected.
func verdicts(asked inputs, out io.Writer) error {
	known, err := loadConfigMap(asked.configMap, asked.scripts)
	if err != nil {
		return err
	}
	expected, order, err := readExpected(asked.expected)
	if err != nil {
		return err
	}
	recorded, err := readRecordings(asked.recordings)
	if err != nil {
		return err
	}
	var wrong []error
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KIND\tSITUATION\tPHASE\tREADY\tFLUX (kstatus)\tARGO CD\tACTIONS\tARGO CD'S MESSAGE")
	for _, row := range order {
		object, ok := recorded[row]
		if !ok {
			wrong = append(wrong, fmt.Errorf("%s %s: not recorded", row.kind, row.name))
			continue
		}
		seen, message, err := judge(object, known[group+"/"+row.kind], row, asked.patches)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s %s: %w", row.kind, row.name, err))
			continue
		}
		phase, _, _ := unstructured.NestedString(object.Object, "status", "phase")
		ready := conditionOf(object, "Ready")
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.kind, row.name, orDash(phase),
			orDash(strings.TrimSpace(ready["status"]+" "+ready["reason"])), seen.flux, seen.argo, orDash(seen.actions), shortened(message))
		if seen != expected[row] {
			wrong = append(wrong, fmt.Errorf("%s %s: %+v, expected %+v", row.kind, row.name, seen, expected[row]))
		}
		wrong = append(wrong, violations(object, row, seen, message)...)
	}
	for row := range recorded {
		if _, ok := expected[row]; !ok {
			wrong = append(wrong, fmt.Errorf("%s %s: recorded, and not in the table", row.kind, row.name))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	wrong = append(wrong, judgeHistory(asked.history, known[group+"/RdsBackup"].health, out))
	return errors.Join(wrong...)
}

func judge(object *unstructured.Unstructured, known customizations, row situation, patches string) (verdict, string, error) {
	if object.GroupVersionKind().Group != group || object.GetKind() != row.kind {
		return verdict{}, "", fmt.Errorf("it is a %s", object.GroupVersionKind())
	}
	seen, message, err := look(object, known.health)
	if err != nil {
		return verdict{}, "", err
	}
	actions, err := actionsOf(object, known)
	if err != nil {
		return verdict{}, "", fmt.Errorf("discovery: %w", err)
	}
	for _, action := range actions {
		patch, err := patchOf(object, known.actions[action])
		if err != nil {
			return verdict{}, "", fmt.Errorf("action %s: %w", action, err)
		}
		described, err := json.Marshal(map[string]any{
			"kind": row.kind, "situation": row.name, "action": action,
			"namespace": object.GetNamespace(), "name": object.GetName(), "patch": json.RawMessage(patch),
		})
		if err != nil {
			return verdict{}, "", err
		}
		file := filepath.Join(patches, row.kind+"."+row.name+"."+action+".json")
		if err := os.WriteFile(file, described, 0o600); err != nil {
			return verdict{}, "", err
		}
	}
	seen.actions = strings.Join(actions, ",")
	return seen, message, nil
}

// look asks both tools, and answers Argo CD's message too.
func look(object *unstructured.Unstructured, healthScript string) (verdict, string, error) {
	flux, err := status.Compute(object)
	if err != nil {
		return verdict{}, "", fmt.Errorf("kstatus: %w", err)
	}
	argo, err := healthOf(object, healthScript)
	if err != nil {
		return verdict{}, "", fmt.Errorf("health: %w", err)
	}
	return verdict{flux: flux.Status.String(), argo: argo.Status}, argo.Message, nil
}

// violations are what no table may allow: that a gate passes too early, or that nobody is told why.
func violations(object *unstructured.Unstructured, row situation, seen verdict, message string) []error {
	var wrong []error
	done := func(what string, is bool) {
		if !is && (seen.flux == "Current" || seen.argo == "Healthy") {
			wrong = append(wrong, fmt.Errorf("%s %s: %+v, and %s", row.kind, row.name, seen, what))
		}
	}
	observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	done("its newest spec was not seen", observed == object.GetGeneration())
	phase, _, _ := unstructured.NestedString(object.Object, "status", "phase")
	done("it has not succeeded", row.kind != "RdsBackup" || phase == "Succeeded")
	if message == "" {
		wrong = append(wrong, fmt.Errorf("%s %s: Argo CD shows no message", row.kind, row.name))
	}
	ready := conditionOf(object, "Ready")["message"]
	if row.kind == "RdsBackup" && !strings.Contains(message, ready) {
		wrong = append(wrong, fmt.Errorf("%s %s: Argo CD shows %q, and Ready says %q", row.kind, row.name, message, ready))
	}
	return wrong
}

func readExpected(file string) (map[situation]verdict, []situation, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	expected, order := map[situation]verdict{}, []situation(nil)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 5 {
			return nil, nil, fmt.Errorf("%s: %d fields and not 5: %s", file, len(fields), line)
		}
		row := situation{fields[0], fields[1]}
		if _, twice := expected[row]; twice {
			return nil, nil, fmt.Errorf("%s: twice: %s", file, line)
		}
		expected[row] = verdict{fields[2], fields[3], strings.TrimPrefix(fields[4], "-")}
		order = append(order, row)
	}
	if len(order) == 0 {
		return nil, nil, fmt.Errorf("%s: no rows", file)
	}
	return expected, order, nil
}

func readRecordings(dir string) (map[situation]*unstructured.Unstructured, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	recorded := map[situation]*unstructured.Unstructured{}
	for _, file := range files {
		kind, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), ".")
		if !slices.Contains(kinds, kind) {
			return nil, fmt.Errorf("%s: not KIND.SITUATION.json", file)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(raw); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		recorded[situation{kind, name}] = object
	}
	return recorded, nil
}

// conditionOf answers the texts of a condition; none if it is not there.
func conditionOf(object *unstructured.Unstructured, kind string) map[string]string {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, each := range conditions {
		condition, _ := each.(map[string]any)
		if condition["type"] != kind {
			continue
		}
		texts := map[string]string{}
		for key := range maps.Keys(condition) {
			texts[key], _ = condition[key].(string)
		}
		return texts
	}
	return nil
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func shortened(text string) string {
	if runes := []rune(text); len(runes) > 72 {
		return string(runes[:69]) + "..."
	}
	return text
}
