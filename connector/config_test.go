package connector_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/connector"
)

var update = flag.Bool("update", false, "write the golden files anew")

// resolve knows what testdata's references name.
func resolve(kind, name string) (string, error) {
	known := map[string]string{
		"env ALIYUN_ACCESS_KEY_ID": "LTAI5tFromEnvironment",
		"file aliyun-secret":       "secret-from-file\n",
	}
	value, ok := known[kind+" "+name]
	if !ok {
		return "", errors.New("there is none")
	}
	return value, nil
}

// Every file of testdata/connectors has a golden report beside it: all errors
// and all warnings, with their places.
func TestCheckReportsEverythingAtOnce(t *testing.T) {
	for _, kind := range []string{"good", "bad"} {
		paths, err := filepath.Glob("../testdata/connectors/" + kind + "/*.json")
		if err != nil || len(paths) < 10 {
			t.Fatalf("%d files, %v", len(paths), err)
		}
		for _, path := range paths {
			t.Run(kind+"/"+filepath.Base(path), func(t *testing.T) {
				cfg, report := connector.Check(read(t, path), connector.ParseOptions{Resolve: resolve, Loopback: true})
				if (cfg != nil) != (kind == "good") || (report.Err() == nil) != (kind == "good") {
					t.Errorf("config is nil: %v; error %v", cfg == nil, report.Err())
				}
				golden(t, strings.TrimSuffix(path, ".json")+".report", lines(report))
			})
		}
	}
}

func TestParseReturnsAllProblemsAsItsError(t *testing.T) {
	for _, path := range glob(t, "../testdata/connectors/bad/*.json") {
		data := read(t, path)
		_, report := connector.Check(data, connector.ParseOptions{Resolve: resolve})
		cfg, err := connector.Parse(data, connector.ParseOptions{Resolve: resolve})
		invalid, ok := errors.AsType[*connector.InvalidError](err)
		if cfg != nil || !ok {
			t.Errorf("%s: %v, %v", path, cfg, err)
			continue
		}
		if diff := cmp.Diff(report.Errors, invalid.Problems); diff != "" {
			t.Errorf("%s (-want +got)\n%s", path, diff)
		}
	}
}

func lines(report connector.Report) string {
	var b strings.Builder
	for _, p := range report.Errors {
		fmt.Fprintf(&b, "error: %s\n", p)
	}
	for _, p := range report.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", p)
	}
	return b.String()
}

func TestLogtosOwnConfigLoadsUnchanged(t *testing.T) {
	cfg := parse(t, read(t, "../testdata/connectors/good/logto-recorded.json"))
	if cfg.AccountName != "noreply@mail.example.com" || cfg.FromAlias != "Example" || len(cfg.Templates) != 4 {
		t.Errorf("%+v", cfg)
	}
}

func TestBuiltinTemplatesServeAllUsageTypes(t *testing.T) {
	cfg := parse(t, read(t, "../testdata/connectors/good/builtin.json"))
	types := map[string]int{}
	for _, template := range cfg.Templates {
		types[template.UsageType]++
	}
	for _, usageType := range connector.UsageTypes() {
		if types[usageType] != 4 {
			t.Errorf("%d templates for %s, want one in each of four languages", types[usageType], usageType)
		}
	}
}

func TestUnknownKeysAreErrorsWhenStrict(t *testing.T) {
	data := read(t, "../testdata/connectors/good/unknown-keys.json")
	_, lenient := connector.Check(data, connector.ParseOptions{})
	_, strict := connector.Check(data, connector.ParseOptions{Strict: true})
	if len(lenient.Errors) != 0 || len(lenient.Warnings) == 0 {
		t.Fatalf("lenient: %v", lenient)
	}
	if diff := cmp.Diff(lenient.Warnings, strict.Errors); diff != "" {
		t.Errorf("what was a warning is no error (-warnings +errors)\n%s", diff)
	}
}

func TestReferencesAreResolvedInCredentialFieldsOnly(t *testing.T) {
	data := read(t, "../testdata/connectors/good/references.json")
	cfg := parse(t, data)
	if cfg.AccessKeyID != "LTAI5tFromEnvironment" || string(cfg.AccessKeySecret) != "secret-from-file" {
		t.Errorf("key %q, secret %q", cfg.AccessKeyID, string(cfg.AccessKeySecret))
	}
	_, report := connector.Check(data, connector.ParseOptions{})
	if len(report.Errors) != 2 || !strings.Contains(report.Errors[0].Detail, "only be used in connector files") {
		t.Errorf("without a resolver: %v", report.Errors)
	}
	elsewhere := strings.Replace(string(data), `"noreply@mail.example.com"`, `"noreply@mail.example.com", "fromAlias": "${env:X}"`, 1)
	if cfg := parse(t, []byte(elsewhere)); cfg.FromAlias != "${env:X}" {
		t.Errorf("fromAlias %q", cfg.FromAlias)
	}
}

// What can be cured without a doubt is; all else that can never match is an error that
// says where, and not what.
func TestKeysAreWhatTheyCanBe(t *testing.T) {
	const advice, referred = "Copy it again: ", "Copy it into ${file:key} again: "
	tests := map[string]struct{ text, want string }{
		"nothing else":       {"s3cr+t/=", ""},
		"a mark, a line end": {"\ufeffs3cr+t/=\r\n", ""},
		"two lines":          {"s3cr\n+t/=", "it has more than one line"},
		"an empty line":      {"s3cr+t/=\n\n", "it has more than one line"},
		"quotation marks":    {`"s3cr+t/="`, "it is in quotation marks"},
		"curly ones":         {"‘s3cr+t/=’", "it is in quotation marks"},
		"a blank before":     {" s3cr+t/=", "it starts with a blank"},
		"a blank after":      {"s3cr+t/= ", "it ends with a blank"},
		"a blank inside":     {"s3cr +t/=", "character 5 is a blank"},
		"an invisible one":   {"s3cr\u00ad+t/=", "character 5 is a soft hyphen (U+00AD)"},
		"a direction":        {"\u202ds3cr+t/=", "character 1 is an invisible mark of the text's direction (U+202D)"},
		"a full-width one":   {"s3crｔ", "character 5 is a full-width character"},
		"Cyrillic":           {"s3с", "character 3 is a letter outside of ASCII"},
		"UTF-16":             {"\xff\xfes\x003\x00", "save it as UTF-8: it is UTF-16 (in PowerShell, use Set-Content -Encoding utf8)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			look := func(string, string) (string, error) { return tt.text, nil }
			for _, pointer := range []string{"/accessKeyId", "/accessKeySecret", "/securityToken"} {
				given := map[string]any{
					"accessKeyId": "STS.id", "accessKeySecret": "secret", "securityToken": "token",
					"accountName": "noreply@mail.example.com", "templates": "builtin",
				}
				for value, want := range map[string]string{tt.text: advice + tt.want, "${file:key}": referred + tt.want} {
					given[pointer[1:]] = value
					cfg, report := connector.CheckTree(given, connector.ParseOptions{Resolve: look})
					if tt.want == "" {
						if cfg == nil || !strings.Contains(fmt.Sprint(cfg.ClientOptions().Credentials.AccessKeyID, string(cfg.AccessKeySecret), string(cfg.SecurityToken)), "s3cr+t/=") {
							t.Errorf("%s %q: %v", pointer, value, report.Err())
						}
						continue
					}
					if len(report.Errors) != 1 || report.Errors[0].String() != pointer+": "+want {
						t.Errorf("%s %q: %v, want %q", pointer, value, report.Errors, want)
					}
				}
			}
		})
	}
}

func TestSecurityTokenOfALastingKeyIsDoubtful(t *testing.T) {
	for id, want := range map[string]int{"STS.id": 0, "LTAI5tExample": 1} {
		data := `{"accessKeyId":"` + id + `","accessKeySecret":"secret","securityToken":"token","accountName":"noreply@mail.example.com","templates":"builtin"}`
		cfg, report := connector.Check([]byte(data), connector.ParseOptions{})
		if cfg == nil || len(report.Warnings) != want || want > 0 && report.Warnings[0].Pointer != "/securityToken" {
			t.Errorf("%s: %v", id, report)
		}
	}
}

// Mail goes to Direct Mail's own hosts, or where the operator says.
func TestEndpointsAreKnownOrAllowed(t *testing.T) {
	const (
		good    = ""
		foreign = "/endpoint: Use a host of Direct Mail such as dm.aliyuncs.com, or one that the operator allows with --allow-endpoint"
		local   = "/endpoint: Use a host of Direct Mail such as dm.aliyuncs.com: hosts of this machine need --sandbox, or --allow-endpoint with their name"
		invalid = "/endpoint: Give a valid host, and a valid port if any"
	)
	named := connector.ParseOptions{AllowedEndpoints: []string{"DM.Private.example", "dm.ported.example:8443", "127.0.0.1:8025", "[::1]", "localhost"}}
	loopback := connector.ParseOptions{Loopback: true}
	tests := []struct {
		endpoint string
		opts     connector.ParseOptions
		want     string
	}{
		{"dm.ap-southeast-1.aliyuncs.com", connector.ParseOptions{}, good},
		{"dm-vpc.us-east-1.aliyuncs.com", connector.ParseOptions{}, good},
		{"dm-vpc.ap-southeast-2.aliyuncs.com", connector.ParseOptions{}, good},
		{"https://DM.Aliyuncs.COM:443/", connector.ParseOptions{}, good},
		{"bucket.oss-cn-hangzhou.aliyuncs.com", connector.ParseOptions{}, foreign},
		{"1234.cn-hangzhou.fc.aliyuncs.com", loopback, foreign},
		{"dm.cn-mars.aliyuncs.com", connector.ParseOptions{}, foreign},
		{"x.dm.aliyuncs.com", connector.ParseOptions{}, foreign},
		{"dm.aliyuncs.com.evil.example", connector.ParseOptions{}, foreign},
		{"sts.aliyuncs.com", connector.ParseOptions{}, foreign},
		{"dm.aliyuncs.com.", connector.ParseOptions{}, invalid},
		{"https://dm.aliyuncs.com@evil.example", connector.ParseOptions{}, "/endpoint: Remove the user name and password"},
		{"http://127.0.0.1:8025", connector.ParseOptions{}, local},
		{"https://127.9.9.9", connector.ParseOptions{}, local},
		{"http://LOCALHOST", connector.ParseOptions{}, local},
		{"http://[::1]:1", connector.ParseOptions{}, local},
		{"http://[0:0:0:0:0:0:0:1]", connector.ParseOptions{}, local},
		{"http://[::ffff:127.0.0.1]", connector.ParseOptions{}, local},
		{"http://127.0.0.1:8025", loopback, good},
		{"http://[::ffff:127.0.0.1]", loopback, good},
		{"localhost.", loopback, invalid},
		{"https://127.1", loopback, foreign},
		{"https://2130706433", loopback, foreign},
		{"https://0x7f000001", loopback, foreign},
		{"https://0.0.0.0", loopback, foreign},
		{"https://[::]", loopback, foreign},
		{"https://100.100.100.200", loopback, foreign},
		{"https://dm.private.EXAMPLE:8443", named, good},
		{"https://x.dm.private.example", named, foreign},
		{"https://dm.ported.example:8443", named, good},
		{"https://dm.ported.example", named, foreign},
		{"http://127.0.0.1:8025", named, good},
		{"http://127.0.0.1:80", named, local},
		{"http://[::1]:8025", named, good},
		{"http://localhost:1", named, good},
	}
	for _, tt := range tests {
		t.Run(tt.endpoint, func(t *testing.T) {
			data := `{"accessKeyId":"k","accessKeySecret":"s","accountName":"noreply@mail.example.com","templates":"builtin","endpoint":"` + tt.endpoint + `"}`
			_, report := connector.Check([]byte(data), tt.opts)
			got := ""
			if report.Err() != nil {
				got = report.Err().Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestBodySizeIsBounded(t *testing.T) {
	data := string(read(t, "../testdata/connectors/good/logto-recorded.json"))
	for size, want := range map[int]string{
		102_401 - len("<p>{{code}}</p>"): "warning: /templates/0/content: has 102401 bytes; mail programs such as Gmail show only the first 102400\n",
		409_600 - len("<p>{{code}}</p>"): "warning: /templates/0/content: has 409600 bytes",
		409_601 - len("<p>{{code}}</p>"): "error: /templates/0/content: Shorten it to 409600 bytes: it has 409601\n",
	} {
		long := strings.Replace(data, "<p>{{code}}</p>", "<p>{{code}}</p>"+strings.Repeat("x", size), 1)
		_, report := connector.Check([]byte(long), connector.ParseOptions{})
		if got := lines(report); !strings.HasPrefix(got, want) {
			t.Errorf("%d bytes more: %q, want %q", size, got, want)
		}
	}
}

func TestTemplateSizesAreBounded(t *testing.T) {
	tests := map[string]struct {
		template connector.Template
		want     string
	}{
		"a subject":         {connector.Template{Subject: strings.Repeat("{{#a}}", 683)}, "/subject: Shorten it to 4096 bytes: it has 4098"},
		"a sender's name":   {connector.Template{SendFrom: strings.Repeat("x", 4097)}, "/sendFrom: Shorten it to 4096 bytes: it has 4097"},
		"a reply address":   {connector.Template{ReplyTo: strings.Repeat("x", 4097)}, "/replyTo: Shorten it to 4096 bytes: it has 4097"},
		"a text":            {connector.Template{Text: strings.Repeat("x", 409_601)}, "/text: Shorten it or the content: together they have 409601 bytes, and may have 409600"},
		"text and content":  {connector.Template{Content: strings.Repeat("x", 409_000), Text: strings.Repeat("x", 601)}, "/text: Shorten it or the content: together they have 409601 bytes, and may have 409600"},
		"placeholders":      {connector.Template{Content: strings.Repeat("{{a}}", 20_001)}, "/content: Use at most 20000 placeholders in a template: there are 20001"},
		"as large as it is": {connector.Template{Subject: strings.Repeat("x", 4096), Content: strings.Repeat("x", 400_000), Text: strings.Repeat("x", 9_600)}, ""},
	}
	for name, tt := range tests {
		if got := fmt.Sprint(connector.CheckTemplateSize(tt.template)); got != "["+tt.want+"]" {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestPlaceholdersOfAllTemplatesAreBounded(t *testing.T) {
	data := string(read(t, "../testdata/connectors/good/logto-recorded.json"))
	many := strings.Repeat(fmt.Sprintf(`{"usageType":"SignIn","subject":"s","content":%q},`, strings.Repeat("<<code>>", 20_000)), 5)
	_, report := connector.Check([]byte(strings.Replace(data, `"templates": [`, `"templates": [`+many, 1)), connector.ParseOptions{})
	if got := lines(report); !strings.Contains(got, "error: /templates: Use at most 100000 placeholders") {
		t.Error(got)
	}
}

func TestReportsAreBounded(t *testing.T) {
	data := string(read(t, "../testdata/connectors/good/logto-recorded.json"))
	_, report := connector.Check([]byte(strings.Replace(data, `"templates": [`, `"templates": [`+strings.Repeat("0,", 50_000), 1)), connector.ParseOptions{})
	if n := len(report.Errors); n != 200 || !strings.HasPrefix(report.Errors[n-1].Detail, "There are more errors") {
		t.Errorf("%d errors, the last is %q", n, report.Errors[n-1].Detail)
	}
	var unknown strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&unknown, `"x%d":0,`, i)
	}
	_, report = connector.Check([]byte(strings.Replace(data, "{", "{"+unknown.String(), 1)), connector.ParseOptions{})
	if n := len(report.Warnings); n != 2000 || report.Warnings[n-1].Detail != "There are more warnings" {
		t.Errorf("%d warnings", n)
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	cfg := parse(t, []byte(strings.ReplaceAll(string(read(t, "../testdata/connectors/good/everything.json")), "sts-token", "example-secret")))
	printed := fmt.Sprintf("%v %+v %#v %s", cfg, *cfg, *cfg, mustMarshal(t, cfg))
	if strings.Contains(printed, "example-secret") {
		t.Error("a secret is printed")
	}
	for _, path := range glob(t, "../testdata/connectors/bad/*.json") {
		_, report := connector.Check([]byte(strings.ReplaceAll(string(read(t, path)), "example-secret", "hunter2")), connector.ParseOptions{})
		if strings.Contains(lines(report), "hunter2") {
			t.Errorf("%s: the report repeats the secret", path)
		}
	}
}

// Whatever the text, there is a config or an error, and every pointer leads
// somewhere.
func FuzzCheck(f *testing.F) {
	for _, kind := range []string{"good", "bad"} {
		paths, _ := filepath.Glob("../testdata/connectors/" + kind + "/*.json")
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, report := connector.Check(data, connector.ParseOptions{})
		if (cfg == nil) != (len(report.Errors) > 0) {
			t.Fatalf("config is nil: %v, errors %v", cfg == nil, report.Errors)
		}
		for _, p := range append(report.Errors, report.Warnings...) {
			if p.Detail == "" || p.Pointer != "" && p.Pointer[0] != '/' {
				t.Errorf("problem %+v", p)
			}
		}
		if cfg != nil {
			connector.New(cfg)
		}
	})
}
