package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// waitFor FILE REGEXP [NAME] waits until the file has a match, and sets the
// environment variable NAME to its first group.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: wait-for file regexp [name]")
	}
	pattern := regexp.MustCompile("(?m)" + args[1])
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		// The program may not have made the file yet.
		data, _ := os.ReadFile(ts.MkAbs(args[0]))
		if match := pattern.FindSubmatch(data); match != nil {
			if len(args) > 2 {
				ts.Setenv(args[2], string(match[1]))
			}
			return
		}
		<-tick.C
	}
	ts.Fatalf("%s has no %s", args[0], args[1])
}

// httpCall METHOD URL STATUS [TOKEN [BODY]] prints the answer's body for stdout.
func httpCall(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: http method url status [token [body]]")
	}
	status, body := exchange(ts, args)
	if status != args[2] {
		ts.Fatalf("%s %s: %s\n%s", args[0], args[1], status, body)
	}
	_, err := ts.Stdout().Write(body)
	ts.Check(err)
}

// httpWithin DURATION METHOD URL STATUS [TOKEN [BODY]] repeats a call until the
// answer has the status.
func httpWithin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: http-within duration method url status [token [body]]")
	}
	wait, err := time.ParseDuration(args[0])
	ts.Check(err)
	deadline := time.Now().Add(wait)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		status, body := exchange(ts, args[1:])
		if status == args[3] {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s %s: %s\n%s", args[1], args[2], status, body)
		}
		<-tick.C
	}
}

// exchange makes the call that METHOD URL STATUS [TOKEN [BODY]] describe.
func exchange(ts *testscript.TestScript, args []string) (status string, body []byte) {
	args = append(slices.Clip(args), "", "")
	req, err := http.NewRequest(args[0], args[1], strings.NewReader(args[4]))
	ts.Check(err)
	if args[3] != "" {
		req.Header.Set("Authorization", "Bearer "+args[3])
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // certificates of the scripts' own making
	}}
	resp, err := client.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	ts.Check(err)
	return resp.Status[:3], bytes.TrimSpace(body)
}

// fill FILE.in FILE writes FILE with the values of $VARIABLES.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fill template file")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
}
