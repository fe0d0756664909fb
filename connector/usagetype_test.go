package connector_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector"
	"dmconnector/connector"
	"dmconnector/templates"
)

// lists returns each list of strings in decoded JSON that has the text in it.
func lists(tree any, text string) (found [][]string) {
	switch tree := tree.(type) {
	case map[string]any:
		for _, inner := range tree {
			found = append(found, lists(inner, text)...)
		}
	case []any:
		var list []string
		for _, inner := range tree {
			found = append(found, lists(inner, text)...)
			if s, ok := inner.(string); ok {
				list = append(list, s)
			}
		}
		if slices.Contains(list, text) {
			found = append(found, list)
		}
	}
	return found
}

// The schema and the API's description list the usage types of the table.
func TestDescriptionsListTheUsageTypes(t *testing.T) {
	for name, data := range map[string][]byte{
		"config.schema.json": dmconnector.Schema(),
		"openapi.json":       read(t, "../internal/httpapi/openapi.json"),
	} {
		var tree any
		if err := json.Unmarshal(data, &tree); err != nil {
			t.Fatal(err)
		}
		found := lists(tree, connector.BindMfa)
		if len(found) == 0 {
			t.Errorf("%s has no list of usage types", name)
		}
		for _, list := range found {
			list = slices.DeleteFunc(list, func(s string) bool { return s == "other" }) // a label for the rest
			if diff := cmp.Diff(connector.UsageTypes(), list); diff != "" {
				t.Errorf("%s (-want +got)\n%s", name, diff)
			}
		}
	}
}

// The schema demands the required types.
func TestSchemaRequiresTheRequiredUsageTypes(t *testing.T) {
	var required []string
	for _, m := range regexp.MustCompile(`"usageType": \{ "const": "(\w+)" \}`).FindAllStringSubmatch(string(dmconnector.Schema()), -1) {
		required = append(required, m[1])
	}
	want := connector.RequiredUsageTypes()
	slices.Sort(want)
	slices.Sort(required)
	if diff := cmp.Diff(want, required); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestBuiltinTemplatesServeTheUsageTypes(t *testing.T) {
	var got []string
	for _, source := range templates.Builtin() {
		if source.LanguageTag == "en" {
			got = append(got, source.UsageType)
		}
	}
	if diff := cmp.Diff(connector.UsageTypes(), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A file of the console that names one of the newest types names all.
func TestConsoleNamesTheUsageTypes(t *testing.T) {
	files := 0
	err := filepath.WalkDir("../internal/console/web/src", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), connector.BindMfa) {
			return err
		}
		files++
		for _, usageType := range connector.UsageTypes() {
			if !regexp.MustCompile(`\b` + usageType + `\b`).Match(data) {
				t.Errorf("%s lacks %s", path, usageType)
			}
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Errorf("%d files, %v", files, err)
	}
}

// The guide's list says which variables each type may have.
func TestGuideNamesTheVariables(t *testing.T) {
	_, section, _ := strings.Cut(string(read(t, "../docs/templates.md")), "### What variables there are")
	section, _, _ = strings.Cut(section, "Their contents")
	code := regexp.MustCompile("`(\\w+)`")
	listed := map[string]bool{}
	for line := range strings.Lines(section) {
		names, variables, _ := strings.Cut(line, "): ")
		for _, name := range code.FindAllStringSubmatch(names, -1) {
			u, ok := connector.FindUsageType(name[1])
			listed[name[1]] = true
			if !ok || u.Variables == nil || u.Name == connector.Generic { // the last stands in for any
				continue
			}
			var want []string
			for _, variable := range code.FindAllStringSubmatch(variables, -1) {
				want = append(want, variable[1])
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, slices.Sorted(slices.Values(u.Variables))); diff != "" {
				t.Errorf("%s (-guide +table)\n%s", u.Name, diff)
			}
		}
	}
	for _, name := range connector.UsageTypes() {
		if !listed[name] {
			t.Errorf("the guide has no %s", name)
		}
	}
}

func TestUrgentAndRequiredUsageTypes(t *testing.T) {
	var urgent []string
	for _, name := range connector.UsageTypes() {
		if u, _ := connector.FindUsageType(name); u.Urgent {
			urgent = append(urgent, name)
		}
	}
	if diff := cmp.Diff([]string{"SignIn", "ForgotPassword", "MfaVerification"}, urgent); diff != "" {
		t.Errorf("urgent (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"SignIn", "Register", "ForgotPassword", "Generic"}, connector.RequiredUsageTypes()); diff != "" {
		t.Errorf("required (-want +got)\n%s", diff)
	}
}

func TestFindUsageType(t *testing.T) {
	if u, ok := connector.FindUsageType("Test"); !ok || u.Name != connector.Generic {
		t.Errorf("Test, the former name of Generic: %+v", u)
	}
	if u, ok := connector.FindUsageType("OrderConfirmed"); ok {
		t.Errorf("%+v", u)
	}
}

// The console calls each type by its purpose.
func TestConsoleNamesThePurposes(t *testing.T) {
	names := string(read(t, "../internal/console/web/src/pages/template-names.ts"))
	for _, name := range connector.UsageTypes() {
		u, _ := connector.FindUsageType(name)
		if want := fmt.Sprintf("%s: %q", u.Name, u.Purpose); u.Purpose == "" || !strings.Contains(names, want) {
			t.Errorf("no %s", want)
		}
	}
}
