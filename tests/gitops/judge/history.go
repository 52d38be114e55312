package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// judgeHistory looks at every version of the RdsBackups that a watch has shown: a gate sees those too, for however short a time. None may pass
// it before the end, and none may make it give up on a backup that then succeeds.
func judgeHistory(file, healthScript string, out io.Writer) error {
	opened, err := os.Open(file)
	if err != nil {
		return err
	}
	defer opened.Close()
	var wrong []error
	versions := 0
	last, gaveUp := map[string]string{}, map[string]verdict{}
	lines := bufio.NewScanner(opened)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(lines.Bytes()); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		versions++
		name := object.GetNamespace() + "/" + object.GetName()
		seen, message, err := look(object, healthScript)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		at := situation{object.GetKind(), name + " at version " + object.GetResourceVersion()}
		wrong = append(wrong, violations(object, at, seen, message)...)
		phase, _, _ := unstructured.NestedString(object.Object, "status", "phase")
		if _, already := gaveUp[name]; !already && (seen.flux == "Failed" || seen.argo == "Degraded") {
			gaveUp[name] = seen
		}
		last[name] = phase
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	succeeded := 0
	for name, phase := range last {
		if phase != "Succeeded" {
			continue
		}
		succeeded++
		if seen, ok := gaveUp[name]; ok {
			wrong = append(wrong, fmt.Errorf("RdsBackup %s: %+v, and then it succeeded", name, seen))
		}
	}
	if succeeded == 0 {
		wrong = append(wrong, fmt.Errorf("%s: no backup that succeeded", file))
	}
	fmt.Fprintf(out, "%d versions of %d RdsBackups, of which %d succeeded\n", versions, len(last), succeeded)
	return errors.Join(wrong...)
}
