package sandbox_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"dmconnector/aliyundm/sandbox"
)

// A load test's figures hold the sandbox's own cost, which is this.
func BenchmarkCall(b *testing.B) {
	s := newSandbox(sandbox.Options{RatePerSecond: -1})
	p := with(mailTo("user@example.com"), changes{"HtmlBody": strings.Repeat("<p>验证码 Your code is 123456</p>", 100)})
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		r := rpcPOST(p)
		w := httptest.NewRecorder()
		b.StartTimer()
		s.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
