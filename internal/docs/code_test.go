package docs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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

// languages are the languages of code blocks, with the check of a block's text.
var languages = map[string]func(string) error{
	"sh": nil, // TestShellCommands
	"json": func(text string) error {
		return errors.Join(json.Unmarshal([]byte(text), new(any)), checkConnector(text), checkSendRequest(text))
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

func TestBlocks(t *testing.T) {
	for name, page := range pages(t) {
		for _, code := range docs.Codes(page) {
			if !code.Block {
				continue
			}
			check, known := languages[code.Language]
			if !known {
				t.Errorf("%s: unknown language %q of the block\n%s", name, code.Language, code.Text)
			}
			if check == nil {
				continue
			}
			if err := check(code.Text); err != nil {
				t.Errorf("%s: wrong %s block: %v\n%s", name, code.Language, err, code.Text)
			}
		}
	}
}

// The READMEs differ in language; the code in them is the same.
func TestReadmesHaveTheSameBlocks(t *testing.T) {
	all := pages(t)
	blocksOf := func(name string) []docs.Code {
		return slices.DeleteFunc(docs.Codes(all[name]), func(code docs.Code) bool { return !code.Block })
	}
	english := blocksOf("README.md")
	if d := cmp.Diff(english, blocksOf("README.zh-CN.md")); d != "" || len(english) == 0 {
		t.Errorf("%d blocks (-English +Chinese)\n%s", len(english), d)
	}
}

// objectOf returns the members of a JSON object, and none of other JSON.
func objectOf(text string) map[string]json.RawMessage {
	var object map[string]json.RawMessage
	_ = json.Unmarshal([]byte(text), &object)
	return object
}

// checkConnector validates JSON objects that have a key of connectors.
func checkConnector(text string) error {
	object := objectOf(text)
	isConnectors := func(key string) bool {
		// Email templates of the API have other keys.
		return object[key] != nil && !bytes.Contains(object[key], []byte(`"templateType"`))
	}
	if !slices.ContainsFunc([]string{"accessKeySecret", "credentials", "accountName", "templates"}, isConnectors) {
		return nil
	}
	_, err := connector.Parse([]byte(text), connector.ParseOptions{Strict: true, Resolve: anyValue, Loopback: true})
	return err
}

// anyValue resolves the references of a connector to environment variables and files.
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

// checkSendRequest compares what looks like a send request of Logto with the API.
func checkSendRequest(text string) error {
	if object := objectOf(text); object["to"] == nil || object["payload"] == nil {
		return nil
	}
	return checkCurl([]string{"http://127.0.0.1:8080/api/send", "-H", "Authorization: Bearer SEND_TOKEN", "--json", text})
}

func TestShellCommands(t *testing.T) {
	targets := makeTargets(t)
	for name, page := range pages(t) {
		commands, err := docs.Commands(page)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, command := range commands {
			if err := checkCommand(command.Words, targets); err != nil {
				t.Errorf("%s: %q: %v", name, command.Words, err)
			}
		}
	}
}

// checkCommand checks what can be checked of a command without running it. Tests of
// cmd/dmconnector check those of dmconnector itself.
func checkCommand(words, targets []string) error {
	switch words[0] {
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
