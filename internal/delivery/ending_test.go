package delivery_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/delivery"
)

// Every code of a message that was not sent is listed.
func TestCodesAreComplete(t *testing.T) {
	source, err := os.ReadFile("error.go")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?s)not certainly\.\nconst \((.*?)\n\)`).FindSubmatch(source)
	if block == nil {
		t.Fatal("error.go has no such codes")
	}
	var want []delivery.Code
	for _, found := range regexp.MustCompile(`Code = "(\w+)"`).FindAllSubmatch(block[1], -1) {
		want = append(want, delivery.Code(found[1]))
	}
	if diff := cmp.Diff(want, delivery.Codes()); diff != "" {
		t.Errorf("Codes (-error.go +got)\n%s", diff)
	}
}
