//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What is sent, the same by the service and by the relay.
const (
	sender      = "noreply@mail.example.com"
	alias       = "Example"
	subject     = "Your verification code"
	placeholder = "{{code}}"
	codeLength  = 6
	token       = "bench-send-token-0123456789"
	adminToken  = "bench-admin-token-0123456789"
)

// templateOfSize returns a mail's HTML of that many bytes, 300 at least, with
// the placeholder of a code in it once.
func templateOfSize(size int) string {
	const (
		head = `<html><body style="font-family:sans-serif"><p>Hello,</p><p>your verification code is</p>` + "\n" +
			`<p style="font-size:28px;letter-spacing:4px"><b>` + placeholder + `</b></p>` + "\n"
		line = `<p style="color:#666">Nobody from us will ever ask you for it, on no account.</p>` + "\n"
		foot = "<p></p></body></html>\n"
	)
	rest := size - len(head) - len(foot)
	fill := strings.Repeat(line, rest/len(line)) + strings.Repeat(".", rest%len(line))
	return head + fill + foot
}

// sendRequest returns a request as Logto sends it. Each number has its own
// recipient, so that no limit stands in the way of the load.
func sendRequest(n int) []byte {
	return fmt.Appendf(nil, `{"to":%q,"type":"SignIn","payload":{"code":"%06d","locale":"en",`+
		`"application":{"id":"u7s9rg093bdktvkskbkba","name":"Example"}},"ip":"203.0.113.7"}`, recipient(n), n%1_000_000)
}

func recipient(n int) string { return fmt.Sprintf("user-%d@example.com", n) }

// writeConnector writes a connector for the upstream, with a template of that
// size, or with the ready-made templates for size 0.
func writeConnector(dir, upstreamURL string, size int) (string, error) {
	var templates any = "builtin"
	if size > 0 {
		var list []map[string]string
		for _, usageType := range []string{"Register", "SignIn", "ForgotPassword", "Generic"} {
			list = append(list, map[string]string{"usageType": usageType, "subject": subject, "content": templateOfSize(size)})
		}
		templates = list
	}
	data, err := json.Marshal(map[string]any{
		"accessKeyId": "bench-key", "accessKeySecret": "bench-secret", "endpoint": upstreamURL,
		"accountName": sender, "fromAlias": alias, "templates": templates,
		"limits": map[string]string{"connector": "off"}, // Aliyun's 100 a second
	})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "connector.json")
	return path, os.WriteFile(path, data, 0o600)
}
