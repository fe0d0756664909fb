package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestPreview(t *testing.T) {
	config := `"config":{"accessKeyId":"x","accessKeySecret":"x","accountName":"noreply@mail.example.com","fromAlias":"Example","replyAddress":"help@example.com","tagName":"codes","templates":[
		{"usageType":"Register","subject":"R","content":"c"},
		{"usageType":"SignIn","subject":"S {{code}}","content":"<p>{{application.name}}</p>","text":"text {{code}}"},
		{"usageType":"SignIn","languageTag":"zh-CN","subject":"中 {{code}}","content":"c"},
		{"usageType":"ForgotPassword","subject":"F","content":"c"},
		{"usageType":"Generic","subject":"G","content":"c"}]}`
	tests := map[string]struct {
		path, body string
		want       map[string]string
	}{
		"stored":          {"mine", `{"type":"SignIn"}`, map[string]string{"subject": "SignIn code 123456", "accountName": "noreply@mail.example.com", "to": "user@example.com"}},
		"own values":      {"mine", `{"type":"SignIn","payload":{"code":"7"},"to":"other@Example.com"}`, map[string]string{"subject": "SignIn code 7", "to": "other@example.com"}},
		"no sample":       {"aliyun-direct-mail", `{"type":"SignIn","payload":{"code":"7"},"sample":false,` + config + `}`, map[string]string{"subject": "S 7", "html": "<p>{{application.name}}</p>"}},
		"without its own": {"mine", `{"type":"BindMfa"}`, map[string]string{"subject": "Generic code 123456"}},
		"a former name":   {"mine", `{"type":"Test"}`, map[string]string{"subject": "Generic code 123456"}},
		"an own type":     {"mine", `{"type":"Receipt",` + strings.Replace(config, "Register", `Receipt","subject":"own","content":"c"},{"usageType":"Register`, 1) + `}`, map[string]string{"subject": "own"}},
		"an unsaved one":  {"mine", `{"type":"SignIn",` + config + `}`, map[string]string{"subject": "S 123456", "html": "<p>Sample App</p>", "text": "text 123456", "fromAlias": "Example", "replyAddress": "help@example.com", "tagName": "codes"}},
		"by its language": {"aliyun-direct-mail", `{"type":"SignIn","locale":"zh-CN",` + config + `}`, map[string]string{"subject": "中 123456"}},
		"a mask":          {"mine", `{"type":"SignIn","config":{"accessKeyId":"sandbox-key","accessKeySecret":"***","accountName":"a@b.example","templates":"builtin"}}`, map[string]string{"accountName": "a@b.example"}},
	}
	s := newService(t)
	s.create("mine")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := s.do("POST", "/api/connectors/"+tt.path+"/preview", adminToken, tt.body)
			var mail map[string]any
			if err := json.Unmarshal([]byte(got.body), &mail); err != nil || got.status != http.StatusOK {
				t.Fatalf("%d %s", got.status, got.body)
			}
			for key, want := range tt.want {
				if mail[key] != want {
					t.Errorf("%s is %q, want %q", key, mail[key], want)
				}
			}
			trace, _ := mail["template"].(map[string]any)
			if choice, _ := trace["choice"].([]any); len(choice) == 0 {
				t.Errorf("no reason: %v", trace)
			}
		})
	}
	if len(s.sandbox.Mails()) != 0 {
		t.Error("something was sent")
	}
}

// An unsaved connector is shown with the email templates that it would have.
func TestPreviewHasSharedTemplates(t *testing.T) {
	s := newService(t, "filed")
	s.do("PUT", "/api/email-templates", adminToken, `{"templates":[{"languageTag":"fr","templateType":"SignIn","details":{"subject":"partagé {{code}}","content":"c"}}]}`)
	for name, body := range map[string]string{
		"active":  `{"type":"SignIn","locale":"fr"}`,
		"unsaved": `{"type":"SignIn","locale":"fr","config":` + string(connectorJSON(t)) + `}`,
	} {
		got := s.do("POST", "/api/connectors/filed/preview", adminToken, body)
		if !strings.Contains(got.body, `"subject":"partagé 123456"`) || !strings.Contains(got.body, `"emailTemplate":"`) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}
