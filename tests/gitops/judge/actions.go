package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// actionsOf runs the discovery and answers the names of the enabled actions, in order. Each must be defined.
func actionsOf(object *unstructured.Unstructured, known customizations) ([]string, error) {
	returned, err := runLua(object, known.discovery)
	if err != nil {
		return nil, err
	}
	// An empty Lua table is an empty list in JSON.
	if string(returned) == "[]" {
		return nil, nil
	}
	var offered map[string]struct {
		Disabled    bool   `json:"disabled"`
		DisplayName string `json:"displayName"`
		IconClass   string `json:"iconClass"`
	}
	if err := json.Unmarshal(returned, &offered); err != nil {
		return nil, fmt.Errorf("%s: %w", returned, err)
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(offered)) {
		if known.actions[name] == "" {
			return nil, fmt.Errorf("the action %s is offered and not defined", name)
		}
		if !offered[name].Disabled {
			names = append(names, name)
		}
	}
	return names, nil
}

// patchOf runs an action and answers the merge patch that Argo CD sends to the API server.
func patchOf(object *unstructured.Unstructured, script string) ([]byte, error) {
	returned, err := runLua(object, script)
	if err != nil {
		return nil, err
	}
	var changed map[string]any
	if err := json.Unmarshal(returned, &changed); err != nil {
		return nil, fmt.Errorf("an action returns the changed object, not %.80s: %w", returned, err)
	}
	cleanObject(changed, object.Object)
	before, err := json.Marshal(object.Object)
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(changed)
	if err != nil {
		return nil, err
	}
	return jsonpatch.CreateMergePatch(before, after)
}

// cleanObject makes empty objects of the empty lists that Lua's encoder made of them (Argo CD: cleanReturnedObj).
func cleanObject(changed, object map[string]any) {
	for key, old := range object {
		switch now := changed[key].(type) {
		case map[string]any:
			if old, ok := old.(map[string]any); ok {
				cleanObject(now, old)
			}
		case []any:
			switch old := old.(type) {
			case map[string]any:
				if len(now) == 0 {
					changed[key] = map[string]any{}
				}
			case []any:
				cleanList(now, old)
			}
		}
	}
}

func cleanList(changed, list []any) {
	for i := range min(len(changed), len(list)) {
		switch now := changed[i].(type) {
		case map[string]any:
			if old, ok := list[i].(map[string]any); ok {
				cleanObject(now, old)
			}
		case []any:
			if old, ok := list[i].([]any); ok {
				cleanList(now, old)
			}
		}
	}
}
