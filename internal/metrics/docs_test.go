package metrics_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
)

var writeDocs = flag.Bool("metrics.write", false, "write the table of docs/metrics.md")

const (
	documentPath  = "../../docs/metrics.md"
	dashboardPath = "../../deploy/grafana/dmconnector.json"
	rulesPath     = "../../deploy/prometheus/alerts.yaml"
)

// fullScrape returns a scrape after every kind of event.
func fullScrape(t *testing.T) scrape {
	t.Helper()
	s := open(t, "memory")
	s.use(&connector.Limits{Recipient: "1/1h"}, "mine")
	for range 2 {
		s.post(t, "mine", sendToken, bodyOf("a@b.example", "SignIn", `{"locale":"ja"}`))
	}
	return s.scrape(t)
}

// families returns the metrics of a scrape with the labels of their series.
func (s scrape) families() map[string]*family {
	found := make(map[string]*family)
	for line := range strings.Lines(s.text) {
		fields := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if len(fields) < 4 || fields[0] != "#" {
			continue
		}
		name := fields[2]
		if found[name] == nil {
			found[name] = &family{labels: make(map[string]bool)}
		}
		if fields[1] == "HELP" {
			found[name].help = fields[3]
		} else {
			found[name].kind = fields[3]
		}
	}
	label := regexp.MustCompile(`[{,](\w+)="`)
	for series := range s.series {
		name, _, _ := strings.Cut(series, "{")
		if f := found[familyOf(name, found)]; f != nil {
			for _, match := range label.FindAllStringSubmatch(series, -1) {
				f.labels[match[1]] = true
			}
		}
	}
	return found
}

type family struct {
	kind, help string
	labels     map[string]bool
}

// familyOf returns the metric of a series.
func familyOf[T any](series string, families map[string]T) string {
	if _, ok := families[series]; ok {
		return series
	}
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		if whole, ok := strings.CutSuffix(series, part); ok {
			return whole
		}
	}
	return series
}

func TestEveryMetricIsDocumented(t *testing.T) {
	var table strings.Builder
	table.WriteString("| metric | kind | labels | what it tells |\n|---|---|---|---|\n")
	families := fullScrape(t).families()
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if !strings.HasPrefix(name, "dmconnector_") {
			if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
				t.Errorf("%s is neither ours nor of Go or the process", name)
			}
			continue
		}
		f := families[name]
		delete(f.labels, "le")
		labels := strings.Join(slices.Sorted(maps.Keys(f.labels)), "`, `")
		if labels != "" {
			labels = "`" + labels + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", name, f.kind, labels, f.help)
	}
	const begin, end = "<!-- metrics: made by go test ./internal/metrics -metrics.write -->\n", "<!-- end -->\n"
	document, err := os.ReadFile(documentPath)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(document), begin)
	written, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", documentPath)
	}
	if *writeDocs {
		if err := os.WriteFile(documentPath, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if written != table.String() {
		t.Errorf("docs/metrics.md is not what a scrape shows: run go test ./internal/metrics -metrics.write\nwant\n%s\ngot\n%s", table.String(), written)
	}
}

// The metrics, labels and fixed label values in the dashboard and the rules exist.
func TestDashboardAndRulesNameWhatExists(t *testing.T) {
	families := fullScrape(t).families()
	metric := regexp.MustCompile(`\b((?:dmconnector|go|process|promhttp)_\w+)(?:\{([^}]*)\})?`)
	matcher := regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
	known := fixedValues()
	named := 0
	for path, expressions := range map[string][]string{dashboardPath: dashboardExpressions(t), rulesPath: ruleExpressions(t)} {
		for _, expression := range expressions {
			for _, found := range metric.FindAllStringSubmatch(expression, -1) {
				named++
				name := familyOf(found[1], families)
				f, ok := families[name]
				if !ok {
					t.Errorf("%s: there is no metric %s", path, found[1])
					continue
				}
				for _, m := range matcher.FindAllStringSubmatch(found[2], -1) {
					if !f.labels[m[1]] {
						t.Errorf("%s: %s has no label %s", path, name, m[1])
					}
					for value := range strings.SplitSeq(m[3], "|") {
						if values, fixed := known[m[1]]; fixed && value != "" && !slices.Contains(values, value) {
							t.Errorf("%s: the label %s of %s is never %q", path, m[1], name, value)
						}
					}
				}
			}
		}
	}
	if named < 40 {
		t.Errorf("only %d metrics are named", named)
	}
}

// Every metric named in the deployment files and the guides exists.
func TestEveryNamedMetricExists(t *testing.T) {
	families := fullScrape(t).families()
	name := regexp.MustCompile(`(?:#|id=")?\bdmconnector_[a-z][a-z0-9_]*`)
	named := make(map[string]bool)
	for _, folder := range []string{"../../docs", "../../deploy"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) == ".png" {
				return err
			}
			data, err := os.ReadFile(path)
			for _, found := range name.FindAllString(string(data), -1) {
				if anchor := !strings.HasPrefix(found, "dmconnector_"); anchor {
					continue
				}
				metric := familyOf(found, families)
				if named[metric] = true; families[metric] == nil {
					t.Errorf("%s names %s, which does not exist", path, found)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for metric := range families {
		if strings.HasPrefix(metric, "dmconnector_") && !named[metric] {
			t.Errorf("nothing names %s", metric)
		}
	}
}

func fixedValues() map[string][]string {
	codes := []string{"invalid_request", "unauthorized", "forbidden"}
	for _, kind := range errcode.Kinds() {
		if kind.Message {
			codes = append(codes, string(kind.Code))
		}
	}
	classes := []string{"accepted", "throttled"}
	for _, class := range []aliyundm.Class{aliyundm.Retry, aliyundm.Operator, aliyundm.Content, aliyundm.Recipient, aliyundm.Quota, aliyundm.Unknown} {
		classes = append(classes, string(class))
	}
	var modes, states []string
	for _, mode := range delivery.Modes() {
		modes = append(modes, string(mode))
	}
	for _, kind := range delivery.States() {
		states = append(states, string(kind.State))
	}
	return map[string][]string{
		"code": codes, "class": classes, "mode": modes, "state": states, "kind": {"usage_type", "language"},
		"limit": {"recipient", "ip", "connector", "tester"}, "type": delivery.TypeLabels(), "le": {"8", "8[.]0"},
	}
}

type panel struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr string }
}

func dashboardPanels(t *testing.T) []panel {
	t.Helper()
	data, err := os.ReadFile(dashboardPath)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct{ Panels []panel }
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	return dashboard.Panels
}

func dashboardExpressions(t *testing.T) (list []string) {
	t.Helper()
	for _, p := range dashboardPanels(t) {
		for _, target := range p.Targets {
			list = append(list, target.Expr)
		}
	}
	return list
}

// ruleExpressions returns the expressions of the rules, on the line of expr: or below.
func ruleExpressions(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(rulesPath)
	if err != nil {
		t.Fatal(err)
	}
	expression := regexp.MustCompile(`(?ms)^        expr: (.*?)^        \w+:`)
	var list []string
	for _, found := range expression.FindAllStringSubmatch(string(data), -1) {
		list = append(list, found[1])
	}
	if alerts := strings.Count(string(data), "- alert: "); alerts != len(list) {
		t.Fatalf("%d expressions of %d alerts", len(list), alerts)
	}
	return list
}

const operationsGuide = "../../docs/operations.md"

// Each alert has a heading in the operations guide, and each heading an alert.
func TestEveryAlertHasItsRunbook(t *testing.T) {
	data, err := os.ReadFile(rulesPath)
	if err != nil {
		t.Fatal(err)
	}
	var alerts []string
	for _, rule := range strings.Split(string(data), "- alert: ")[1:] {
		name, rest, _ := strings.Cut(rule, "\n")
		alerts = append(alerts, name)
		if want := "runbook: docs/operations.md#" + strings.ToLower(name) + "\n"; !strings.Contains(rest, want) {
			t.Errorf("%s: %s has no annotation %s", rulesPath, name, want)
		}
	}
	if len(alerts) == 0 {
		t.Fatalf("%s has no alerts", rulesPath)
	}
	heading := regexp.MustCompile(`(?m)^#+ (DMConnector\w+)$`)
	guide, err := os.ReadFile(operationsGuide)
	if err != nil {
		t.Fatal(err)
	}
	var headings []string
	for _, found := range heading.FindAllStringSubmatch(string(guide), -1) {
		headings = append(headings, found[1])
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(alerts)), slices.Sorted(slices.Values(headings))); diff != "" {
		t.Errorf("%s: alerts (-) and headings (+) differ:\n%s", operationsGuide, diff)
	}
}

func TestDashboardIsComplete(t *testing.T) {
	panels := dashboardPanels(t)
	for i, p := range panels {
		if p.Type != "row" && (p.Title == "" || len(p.Targets) == 0) || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q is not whole: %+v", p.Title, p)
		}
		for _, q := range panels[:i] {
			a, b := p.GridPos, q.GridPos
			if p.ID == q.ID || a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("panels %q and %q have one id, or one place", p.Title, q.Title)
			}
		}
	}
}

// promtool checks the dashboard's expressions as rules.
func TestDashboardExpressionsAreValid(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("DMCONNECTOR_TEST_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip("there is no promtool")
	}
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	chosen := strings.NewReplacer("$__rate_interval", "5m", "$connector", "mine")
	for i, expression := range dashboardExpressions(t) {
		rules = append(rules, rule{fmt.Sprintf("dashboard:%d", i), chosen.Replace(expression)})
	}
	data, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rules.yaml") // JSON is YAML
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
