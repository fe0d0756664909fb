package dmconnector_test

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rows returns the cells of the table whose first column has that heading.
func rows(t *testing.T, path, head string) [][]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var table [][]string
	found := false
	for line := range strings.SplitSeq(string(data), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case cells[0] == head:
			found = true
		case found && !strings.HasPrefix(line, "|"):
			return table
		case found && !strings.HasPrefix(cells[0], "--"):
			table = append(table, cells)
		}
	}
	t.Fatalf("%s has no table %q", path, head)
	return nil
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSuffix(text, " µs"), ",", ""), 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Calculates the table of docs/capacity.md again from its inputs.
func TestCapacityFollowsFromItsInputs(t *testing.T) {
	in := make(map[string]float64)
	for _, row := range rows(t, "docs/capacity.md", "input") {
		in[row[0]] = number(t, row[1])
	}
	table := rows(t, "docs/capacity.md", "mails a month")
	for _, row := range table {
		mails := number(t, row[0])
		day := mails / in["a month"]
		mean := day / 86_400
		peak := mean * in["peak to mean"]
		installations := math.Ceil(peak * in["time per send"] / 1e6 / in["use of what was measured"])
		processes := installations * in["processes per installation"]
		want := []float64{
			mails, day, mean, peak, peak * in["CPU per send"] / 1e6, installations, processes,
			processes * in["connections per process"], math.Ceil(peak / in["an account"]), mails * in["a message in the log"] / 1e9,
		}
		for i, places := range []int{0, 0, 2, 2, 3, 0, 0, 0, 0, 2} {
			if got := strings.ReplaceAll(row[i], ",", ""); got != fmt.Sprintf("%.*f", places, want[i]) {
				t.Errorf("%s mails, column %d: %s, must be %.*f", row[0], i+1, row[i], places, want[i])
			}
		}
	}
	if last := table[len(table)-1][0]; last != "1,000,000,000" {
		t.Errorf("ends at %s mails a month", last)
	}
}

// The measured inputs are in docs/benchmarks.md, the others on the pages that
// docs/capacity.md names.
func TestCapacityHasTheMeasuredInputs(t *testing.T) {
	in := make(map[string]float64)
	for _, row := range rows(t, "docs/capacity.md", "input") {
		in[row[0]] = number(t, row[1])
	}
	for _, row := range rows(t, "docs/benchmarks.md", "A send with a log of") {
		if row[0] != "1,000,000 messages" || row[1] != "PostgreSQL" {
			continue
		}
		for i, name := range []string{"CPU per send", "time per send"} {
			measured := number(t, row[3+i])
			if math.Abs(in[name]-measured) > measured/4 {
				t.Errorf("%s: %v, and %v was measured", name, in[name], measured)
			}
		}
		in["found"] = 1
	}
	if in["found"] == 0 {
		t.Error("docs/benchmarks.md has no send with a full log in PostgreSQL")
	}
	for page, text := range map[string]string{
		"docs/state.md":      "Each process uses up to 11 connections",
		"docs/operations.md": "| messages | about 1.5 kB each: 0.15 GB for 100,000 a month | `--retention`, default 30 days",
	} {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), text) {
			t.Errorf("%s does not say %q", page, text)
		}
	}
	if diff := cmp.Diff([]float64{1500, 11, 30}, []float64{in["a message in the log"], in["connections per process"], in["a month"]}); diff != "" {
		t.Error(diff)
	}
}
