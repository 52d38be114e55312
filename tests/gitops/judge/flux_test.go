package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	helm "github.com/fluxcd/helm-controller/api/v2"
	kustomize "github.com/fluxcd/kustomize-controller/api/v1"
	source "github.com/fluxcd/source-controller/api/v1"
	"sigs.k8s.io/yaml"
)

// What deploy/flux shows is taken by Flux's own types, to the last field.
func TestFluxTakesItsManifests(t *testing.T) {
	files, err := filepath.Glob("../../../deploy/flux/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests in deploy/flux: %v", err)
	}
	seen := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			var kind struct {
				APIVersion string `json:"apiVersion"`
				Kind       string `json:"kind"`
			}
			if err := yaml.Unmarshal(document, &kind); err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			var into any
			switch kind.APIVersion + " " + kind.Kind {
			case helm.GroupVersion.String() + " HelmRelease":
				into = &helm.HelmRelease{}
			case kustomize.GroupVersion.String() + " Kustomization":
				into = &kustomize.Kustomization{}
			case source.GroupVersion.String() + " GitRepository":
				into = &source.GitRepository{}
			case "rdsbackup.io/v1alpha1 RdsBackup":
				// Not Flux's: tests/docs applies it to the API server.
				continue
			default:
				t.Errorf("%s: Flux has no %s %s", file, kind.APIVersion, kind.Kind)
				continue
			}
			if err := yaml.UnmarshalStrict(document, into); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			seen[kind.Kind]++
		}
	}
	for kind, count := range map[string]int{"HelmRelease": 1, "GitRepository": 1, "Kustomization": 3} {
		if seen[kind] != count {
			t.Errorf("%d of kind %s, and not %d", seen[kind], kind, count)
		}
	}
}
