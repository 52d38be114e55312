package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && args[0] == "configmap" {
		text, err := renderConfigMap(args[1])
		if err == nil {
			fmt.Print(text)
		}
		return err
	}
	if len(args) == 0 || args[0] != "verdicts" {
		return errors.New("judge configmap DIR, or judge verdicts -h")
	}
	flags := flag.NewFlagSet("verdicts", flag.ContinueOnError)
	var asked inputs
	flags.StringVar(&asked.configMap, "configmap", "", "argocd-cm as the API server returns it, JSON")
	flags.StringVar(&asked.scripts, "scripts", "", "the directory of the Lua scripts and of argocd-cm.yaml")
	flags.StringVar(&asked.recordings, "recordings", "", "a directory of KIND.SITUATION.json")
	flags.StringVar(&asked.history, "history", "", "every version that a watch showed of the RdsBackups, one JSON object a line")
	flags.StringVar(&asked.expected, "expected", "", "the table of expected verdicts")
	flags.StringVar(&asked.patches, "patches", "", "where the actions' patches go")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	return verdicts(asked, os.Stdout)
}
