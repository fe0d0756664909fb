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

func TestReadyMadeTemplatesServeTheUsageTypes(t *testing.T) {
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

// The guide's table says which variables each type may have.
func TestGuideNamesTheVariables(t *testing.T) {
	var header []string
	marked := map[string]map[string]bool{}
	for line := range strings.Lines(string(read(t, "../docs/templates.md"))) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		if slices.Contains(cells, "usage type") {
			header = cells
		}
		column := slices.Index(header, "usage type")
		if len(header) == 0 || len(cells) != len(header) {
			header = nil
			continue
		}
		for _, usageType := range regexp.MustCompile(`\w+`).FindAllString(cells[column], -1) {
			if _, ok := connector.FindUsageType(usageType); !ok {
				continue
			}
			if marked[usageType] == nil {
				marked[usageType] = map[string]bool{}
			}
			for i, cell := range cells {
				if i > column && cell != "" && header[i] != "other" {
					marked[usageType][header[i]] = true
				}
			}
		}
	}
	for _, name := range connector.UsageTypes() {
		u, _ := connector.FindUsageType(name)
		if marked[name] == nil {
			t.Errorf("the table has no %s", name)
		}
		for variable := range marked[name] {
			if !u.MayHave(variable) {
				t.Errorf("%s: the guide has %s, the table does not", name, variable)
			}
		}
		for _, variable := range u.Variables {
			if name != connector.Generic && !marked[name][variable] {
				t.Errorf("%s: the table has %s, the guide does not", name, variable)
			}
		}
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
