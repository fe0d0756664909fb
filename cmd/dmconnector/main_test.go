package main

import (
	"flag"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	// The scripts wait most of the time, a stop for 2 s. -parallel overrides it.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"dmconnector": main})
}

// The scripts are the commands' specification.
func TestScripts(t *testing.T) {
	t.Parallel()
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
