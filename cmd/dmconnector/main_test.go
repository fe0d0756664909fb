package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dmconnector": main})
}

// The scripts are the commands' specification.
func TestScripts(t *testing.T) {
	testscript.Run(t, scripts(testscript.Params{Dir: "testdata"}))
}

func scripts(p testscript.Params) testscript.Params {
	p.RequireExplicitExec, p.RequireUniqueNames = true, true
	p.Cmds = map[string]func(*testscript.TestScript, bool, []string){
		"wait-for":    waitFor,
		"http":        httpCall,
		"http-within": httpWithin,
		"fill":        fill,
		"certify":     certify,
	}
	return p
}
