package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return object
}

func script(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../deploy/argocd", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What no operator writes, and a script must still answer without an error: it would show as Unknown, which fails a sync.
func TestHealthOfWhatIsHardlyThere(t *testing.T) {
	for _, kind := range kinds {
		for name, status := range map[string]string{
			"no status":                    ``,
			"an empty status":              `,"status":{}`,
			"the CRD's default":            `,"status":{"observedGeneration":-1}`,
			"seen, and no conditions":      `,"status":{"observedGeneration":2}`,
			"a Ready of another spec":      `,"status":{"observedGeneration":2,"conditions":[{"type":"Ready","status":"True","message":"m","observedGeneration":1}]}`,
			"a Ready that says nothing":    `,"status":{"observedGeneration":2,"conditions":[{"type":"Ready","status":"Unknown","message":"m","observedGeneration":2}]}`,
			"an old Stalled, and an edit":  `,"status":{"observedGeneration":1,"conditions":[{"type":"Ready","status":"False","message":"m"},{"type":"Stalled","status":"True"}]}`,
			"Ready True while Reconciling": `,"status":{"observedGeneration":2,"conditions":[{"type":"Ready","status":"True","message":"m","observedGeneration":2},{"type":"Reconciling","status":"True"}]}`,
		} {
			object := object(t, `{"apiVersion":"rdsbackup.io/v1alpha1","kind":"`+kind+`","metadata":{"name":"a","generation":2},"spec":{}`+status+`}`)
			says, err := healthOf(object, script(t, "health/"+kind+".lua"))
			if err != nil || says.Status != "Progressing" || says.Message == "" {
				t.Errorf("%s with %s: %+v %v", kind, name, says, err)
			}
		}
	}
}

func TestScriptsHaveWhatArgoCDOpensAndNoMore(t *testing.T) {
	empty := object(t, `{"apiVersion":"v1","kind":"A","metadata":{}}`)
	for text, works := range map[string]bool{
		`return { a = table.concat({ "x" }, ",") }`:              true,
		`local os = require("os") return { a = os.date("!%Y") }`: true,
		`return { a = string.format("%d", 1) }`:                  false,
		`return { a = math.floor(1.5) }`:                         false,
		`local os = require("os") return { a = os.getenv("A") }`: false,
		`return { a = io.open("/etc/passwd") }`:                  false,
		`while true do end`:                                      false,
		`return "text"`:                                          false,
	} {
		if returned, err := runLua(empty, text); (err == nil) != works {
			t.Errorf("%s: %s %v", text, returned, err)
		}
	}
}

func TestAPatchHoldsOnlyWhatTheActionChanged(t *testing.T) {
	// Empty objects come out of Lua as empty lists, and numbers as floats.
	schedule := object(t, `{"apiVersion":"rdsbackup.io/v1alpha1","kind":"RdsBackupSchedule","metadata":{"name":"a","labels":{},"generation":3},
		"spec":{"suspend":false,"template":{"metadata":{"labels":{}},"spec":{"databases":[]}}},"status":{"sizeBytes":4294967296,"list":[{"a":{}}]}}`)
	patch, err := patchOf(schedule, script(t, "actions/RdsBackupSchedule/suspend.lua"))
	if err != nil || string(patch) != `{"spec":{"suspend":true}}` {
		t.Errorf("%s %v", patch, err)
	}
	held := object(t, `{"apiVersion":"rdsbackup.io/v1alpha1","kind":"RdsBackup","metadata":{"name":"a","annotations":{"rdsbackup.io/hold":"true"}}}`)
	patch, err = patchOf(held, script(t, "actions/RdsBackup/release.lua"))
	if err != nil || string(patch) != `{"metadata":{"annotations":{"rdsbackup.io/hold":null}}}` {
		t.Errorf("%s %v", patch, err)
	}
}

// Each defect that verdicts is there to find, one at a time, in a directory that is right but for it.
func TestVerdictsFailOnEachDefect(t *testing.T) {
	running := `{"apiVersion":"rdsbackup.io/v1alpha1","kind":"RdsBackup","metadata":{"name":"a","generation":1},"spec":{},
		"status":{"observedGeneration":1,"phase":"Running","conditions":[{"type":"Ready","status":"False","reason":"Running","message":"m","observedGeneration":1},
		{"type":"Reconciling","status":"True","reason":"Running","message":"m"}]}}`
	const row = "RdsBackup\trunning\tInProgress\tProgressing\t-\n"
	early := strings.NewReplacer(`"status":"False"`, `"status":"True"`, `"type":"Reconciling"`, `"type":"Other"`).Replace(running)
	line := func(text string) string { return strings.Join(strings.Fields(text), " ") + "\n" }
	over := strings.NewReplacer(`"Running"`, `"Succeeded"`, `"status":"False"`, `"status":"True"`, `"type":"Reconciling","status":"True"`, `"type":"Reconciling","status":"False"`).Replace(running)
	stalled := strings.Replace(running, `"Reconciling"`, `"Stalled"`, 1)
	good := line(running) + line(over)
	for name, is := range map[string]struct{ recording, expected, history, wrong string }{
		"nothing":              {running, row, good, ""},
		"a wrong verdict":      {running, strings.Replace(row, "InProgress", "Current", 1), good, "expected {flux:Current"},
		"a wrong action":       {running, strings.Replace(row, "-", "hold", 1), good, "actions:hold"},
		"no recording":         {"", row, good, "not recorded"},
		"no row":               {running, "RdsBackup\tother\tCurrent\tHealthy\t-\n", good, "recorded, and not in the table"},
		"an early end":         {early, "RdsBackup\trunning\tCurrent\tHealthy\t-\n", good, "and it has not succeeded"},
		"two rows":             {running, row + row, good, "twice"},
		"an empty table":       {running, "# nothing\n", good, "no rows"},
		"a row cut short":      {running, "RdsBackup\trunning\tInProgress\n", good, "3 fields"},
		"another kind's":       {strings.Replace(running, `"RdsBackup"`, `"Pod"`, 1), row, good, "it is a"},
		"an early end between": {running, row, line(running) + line(early) + line(over), "and it has not succeeded"},
		"a failure between":    {running, row, line(running) + line(stalled) + line(over), "and then it succeeded"},
		"an empty history":     {running, row, "", "no backup that succeeded"},
		"an older argocd-cm":   {running, row, good, "is not what its scripts make"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(file, text string) string {
				path := filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			scripts := filepath.Join(dir, "scripts")
			if err := os.CopyFS(scripts, os.DirFS("../../../deploy/argocd")); err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(name, "argocd-cm") {
				write("scripts/health/RdsBackup.lua", script(t, "health/RdsBackup.lua")+"-- edited\n")
			}
			if is.recording != "" {
				write("recordings/RdsBackup.running.json", is.recording)
			}
			asked := inputs{
				configMap: write("cm.json", configMapJSON(t)), scripts: scripts, recordings: filepath.Join(dir, "recordings"),
				expected: write("expected.tsv", is.expected), patches: dir, history: write("history.jsonl", is.history),
			}
			err := verdicts(asked, new(strings.Builder))
			if is.wrong == "" && err != nil {
				t.Error(err)
			}
			if is.wrong != "" && (err == nil || !strings.Contains(err.Error(), is.wrong)) {
				t.Errorf("%v, and not %s", err, is.wrong)
			}
		})
	}
}

// argocd-cm as the API server would return it.
func configMapJSON(t *testing.T) string {
	t.Helper()
	data := map[string]string{}
	for _, kind := range kinds {
		actions, err := renderActions(filepath.Join("../../../deploy/argocd/actions", kind))
		if err != nil {
			t.Fatal(err)
		}
		data["resource.customizations.health."+group+"_"+kind] = script(t, "health/"+kind+".lua")
		data["resource.customizations.actions."+group+"_"+kind] = actions
	}
	text, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
