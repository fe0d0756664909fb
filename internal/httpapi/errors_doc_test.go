package httpapi_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
)

const errorPage = "../../docs/errors.md"

var (
	codeSpan   = regexp.MustCompile("`([^`]+)`")
	codesOnly  = regexp.MustCompile("^`[^` ]+`(, ?`[^` ]+`)*$")
	aliyunCode = regexp.MustCompile(`^[A-Z][A-Za-z]*(\.[A-Za-z]+)*(\.?\*)?$`)
	status     = regexp.MustCompile(`\b\d{3}\b`)
)

// documented finds what the tables of the page say about the codes that their rows
// begin with: of ours the statuses, of Aliyun's our code, as written.
func documented(t *testing.T) (own, aliyun map[string]string) {
	t.Helper()
	data, err := os.ReadFile(errorPage)
	if err != nil {
		t.Fatal(err)
	}
	own, aliyun = make(map[string]string), make(map[string]string)
	for line := range strings.Lines(string(data)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		first, second := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])
		if !codesOnly.MatchString(first) {
			continue
		}
		statuses := status.FindAllString(second, -1)
		for _, span := range codeSpan.FindAllStringSubmatch(first, -1) {
			code, list, said := span[1], own, strings.Join(statuses, ", ")
			switch {
			case aliyunCode.MatchString(code):
				list, said = aliyun, second
			case len(statuses) == 0:
				continue // a JSON member
			}
			if _, twice := list[code]; twice {
				t.Errorf("%s has %s twice", errorPage, code)
			}
			list[code] = said
		}
	}
	return own, aliyun
}

func TestErrorPageHasEveryCode(t *testing.T) {
	own, aliyun := documented(t)
	if diff := cmp.Diff(ourCodes(t), own); diff != "" {
		t.Errorf("%s: codes with their statuses (-program +page)\n%s", errorPage, diff)
	}
	if diff := cmp.Diff(aliyunsCodes(t), aliyun); diff != "" {
		t.Errorf("%s: Aliyun's codes with ours (-program +page)\n%s", errorPage, diff)
	}
}

// ourCodes are all codes with all statuses that they come with, as "400, 408".
func ourCodes(t *testing.T) map[string]string {
	t.Helper()
	statuses := statusesOf(specificationOf(t))
	codes := make(map[string]string)
	for _, kind := range errcode.Kinds() {
		all := append(statuses[string(kind.Code)], kind.Status)
		slices.Sort(all)
		var list []string
		for _, status := range slices.Compact(all) {
			list = append(list, strconv.Itoa(status))
		}
		codes[string(kind.Code)] = strings.Join(list, ", ")
	}
	return codes
}

// aliyunsCodes are the codes that aliyundm has a rule for, each with the code that
// a message ends with when Direct Mail answers it, as "`provider_busy`".
func aliyunsCodes(t *testing.T) map[string]string {
	t.Helper()
	codes := make(map[string]string)
	paths, err := filepath.Glob("../../aliyundm/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Names[0].Name != "rules" {
				return true
			}
			for _, element := range spec.Values[0].(*ast.CompositeLit).Elts { // of class, codes, advice
				text, _ := strconv.Unquote(element.(*ast.CompositeLit).Elts[1].(*ast.BasicLit).Value)
				for code := range strings.FieldsSeq(text) {
					codes[code] = "`" + string(endOf(t, strings.TrimSuffix(code, "*"))) + "`"
				}
			}
			return false
		})
	}
	if len(codes) < 50 {
		t.Fatalf("aliyundm has %d codes: %v", len(codes), codes)
	}
	return codes
}

// endOf sends a mail that Direct Mail answers with the code.
func endOf(t *testing.T, code string) (end errcode.Code) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client, err := aliyundm.NewClient(aliyundm.Options{
			Credentials: aliyundm.Credentials{AccessKeyID: "id", AccessKeySecret: "secret"},
			HTTP:        &http.Client{Transport: refusing(code)},
		})
		if err != nil {
			t.Fatal(err)
		}
		composer := connector.New(&connector.Config{
			AccountName: "noreply@mail.example.com",
			Templates:   []connector.Template{{UsageType: connector.Generic, Subject: "Code", Content: "{{code}}"}},
		})
		_, err = delivery.Try(t.Context(), delivery.Connector{Composer: composer, Sender: client}, delivery.Request{
			Message: connector.Message{To: "user@example.com", Type: connector.Generic, Payload: map[string]any{"code": "123456"}},
			Arrived: time.Now(),
		})
		failure, ok := err.(*delivery.Error) //nolint:errorlint // it is not wrapped
		if !ok {
			t.Fatalf("%s: %v", code, err)
		}
		end = failure.Code
	})
	return end
}

// refusing is a Direct Mail that answers every call with the code.
type refusing string

func (code refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusBadRequest, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(`{"Code":"` + string(code) + `"}`)),
	}, nil
}
