package errcode_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/errcode"
)

// declared are the constants of the type Code.
func declared(t *testing.T) []errcode.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "errcode.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var codes []errcode.Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Code" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, errcode.Code(text))
		}
		return true
	})
	return codes
}

func TestTableHasEveryCodeOnce(t *testing.T) {
	var codes []errcode.Code
	for _, kind := range errcode.Kinds() {
		codes = append(codes, kind.Code)
	}
	want := declared(t)
	slices.Sort(want)
	slices.Sort(codes)
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("(-constants +table)\n%s", diff)
	}
}

func TestKinds(t *testing.T) {
	incident := strings.Repeat("0", 36)
	for _, kind := range errcode.Kinds() {
		if http.StatusText(kind.Status) == "" || kind.Status < 400 || kind.Title == "" || strings.HasSuffix(kind.Title, ".") {
			t.Errorf("%s: %d %q", kind.Code, kind.Status, kind.Title)
		}
		if !strings.HasSuffix(kind.Person, ".") || strings.ContainsAny(kind.Person, "{}[]\"") {
			t.Errorf("%s: %q is not a sentence", kind.Code, kind.Person)
		}
		// The bounds of what an unauthenticated browser gets.
		text := kind.Person + " [12345678]"
		problem := fmt.Sprintf(`{"type":"urn:dmconnector:problem:%[1]s","title":%[2]q,"status":%[3]d,"code":"%[1]s","incident":"%[4]s"}`+"\n", kind.Code, kind.Title, kind.Status, incident)
		if len(text) > 300 || len(problem) > 300 {
			t.Errorf("%s: %d and %d bytes", kind.Code, len(text), len(problem))
		}
		if kind.ReleasesKey && !kind.Retryable || !kind.Message && (kind.Retryable || kind.Refunds || kind.ReleasesKey) {
			t.Errorf("%s contradicts itself: %+v", kind.Code, kind)
		}
	}
}

func TestUnknownCodeIsInternal(t *testing.T) {
	if got := errcode.Of("nonsense"); got != errcode.Of(errcode.Internal) || got.Status != http.StatusInternalServerError {
		t.Errorf("%+v", got)
	}
}
