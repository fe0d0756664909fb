package docs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"dmconnector/connector"
	"dmconnector/internal/docs"
)

// languages are those that blocks of code may be in, with what checks their text.
var languages = map[string]func(string) error{
	"sh": nil, // TestShellCommands
	"json": func(text string) error {
		return errors.Join(checkJSON(text), checkConnector(text), checkSendRequest(text))
	},
	"yaml":    func(text string) error { return yaml.Unmarshal([]byte(text), new(any)) },
	"text":    nil,
	"js":      nil,
	"go":      nil,
	"html":    nil,
	"http":    nil,
	"ini":     nil,
	"mermaid": nil,
	"nginx":   nil,
	"promql":  nil,
	"python":  nil,
	"sql":     nil,
}

func TestBlocksAreWhatTheySay(t *testing.T) {
	for _, page := range inOrder(pages(t)) {
		for _, block := range page.Blocks {
			check, known := languages[block.Language]
			if !known {
				t.Errorf("%s:%d: the language %q of the block is none of those that are known", page.Path, block.Line, block.Language)
			}
			if check == nil {
				continue
			}
			if err := check(block.Text); err != nil {
				t.Errorf("%s:%d: the block is no good %s: %v", page.Path, block.Line, block.Language, err)
			}
		}
	}
}

// The READMEs differ in language; what a reader types is the same.
func TestReadmesHaveTheSameBlocks(t *testing.T) {
	var texts [2][]string
	for i, name := range []string{"README.md", "README.zh-CN.md"} {
		for _, block := range pages(t)[name].Blocks {
			texts[i] = append(texts[i], block.Language+"\n"+block.Text)
		}
	}
	if d := cmp.Diff(texts[0], texts[1]); d != "" || len(texts[0]) == 0 {
		t.Errorf("%d blocks (-English +Chinese)\n%s", len(texts[0]), d)
	}
}

func checkJSON(text string) error { return json.Unmarshal([]byte(text), new(any)) }

// membersOf are a JSON object's. Other JSON has none.
func membersOf(text string) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	_ = json.Unmarshal([]byte(text), &members)
	return members
}

// checkConnector validates what has a key that only connectors have.
func checkConnector(text string) error {
	object := membersOf(text)
	ofConnectors := func(key string) bool {
		// Email templates of the API are something else.
		return object[key] != nil && !bytes.Contains(object[key], []byte(`"templateType"`))
	}
	if !slices.ContainsFunc([]string{"accessKeySecret", "credentials", "accountName", "templates"}, ofConnectors) {
		return nil
	}
	_, report := connector.Check([]byte(text), connector.ParseOptions{Strict: true, Resolve: anyValue})
	return report.Err()
}

// anyValue stands in for the environment and files of a connector's references, and
// for no other variable.
func anyValue(_, name string) (string, error) {
	defaults := map[string]string{
		"ALIBABA_CLOUD_ROLE_ARN":              "acs:ram::1234567890123456:role/mail",
		"ALIBABA_CLOUD_OIDC_PROVIDER_ARN":     "acs:ram::1234567890123456:oidc-provider/ack-rrsa",
		"ALIBABA_CLOUD_OIDC_TOKEN_FILE":       "/var/run/token",
		"ALIBABA_CLOUD_ROLE_SESSION_NAME":     "",
		"ALIBABA_CLOUD_STS_REGION":            "",
		"ALIBABA_CLOUD_ECS_METADATA":          "",
		"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "",
	}
	if value, known := defaults[name]; known {
		return value, nil
	}
	return "value-of-" + filepath.Base(name), nil
}

// checkSendRequest holds what looks like Logto's request to the route for it.
func checkSendRequest(text string) error {
	if object := membersOf(text); object["to"] == nil || object["payload"] == nil {
		return nil
	}
	request, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:8080/api/send", strings.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer SEND_TOKEN")
	return checkRequest(request)
}

func TestShellCommands(t *testing.T) {
	targets := makeTargets(t)
	for _, page := range inOrder(pages(t)) {
		commands, err := page.Commands()
		if err != nil {
			t.Error(err)
		}
		for _, span := range page.Spans {
			if !strings.HasPrefix(span.Text, "make ") && !strings.HasPrefix(span.Text, "curl ") {
				continue
			}
			inText, err := new(docs.Shell).Commands(span.Text)
			if err != nil {
				t.Errorf("%s:%d: `%s` is no command: %v", page.Path, span.Line, span.Text, err)
			}
			for _, command := range inText {
				command.Line = span.Line
				commands = append(commands, command)
			}
		}
		for _, command := range commands {
			if err := checkCommand(command, targets); err != nil {
				t.Errorf("%s:%d: %s: %v", page.Path, command.Line, command, err)
			}
		}
	}
}

// checkCommand checks what can be checked of a command without running it. Those of
// the program itself are checked in cmd/dmconnector.
func checkCommand(command docs.Command, targets []string) error {
	switch words := command.Words; words[0] {
	case "make":
		for _, word := range words[1:] {
			if !strings.Contains(word, "=") && !slices.Contains(targets, word) {
				return fmt.Errorf("the Makefile has no target %s", word)
			}
		}
	case "go", "node":
		for _, word := range words[1:] {
			if path, isPath := strings.CutPrefix(word, "./"); isPath {
				if _, err := os.Stat(filepath.Join(root, strings.TrimSuffix(path, "..."))); err != nil {
					return err
				}
			}
		}
	case "curl":
		return checkCurl(words[1:])
	}
	return nil
}

func makeTargets(t *testing.T) []string {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, match := range regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):(?:[^=]|$)`).FindAllStringSubmatch(string(makefile), -1) {
		targets = append(targets, match[1])
	}
	return targets
}
