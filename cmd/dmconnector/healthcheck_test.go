package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestHealthAddress(t *testing.T) {
	tests := map[string]struct {
		listen        string
		secure, ready bool
		want          string
	}{
		"as the container": {"0.0.0.0:8080", false, false, "http://127.0.0.1:8080/healthz"},
		"every address":    {":8080", false, true, "http://127.0.0.1:8080/readyz"},
		"every IPv6":       {"[::]:8443", true, false, "https://[::1]:8443/healthz"},
		"one address":      {"10.0.0.7:80", true, true, "https://10.0.0.7:80/readyz"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := healthAddress(tt.listen, tt.secure, tt.ready); got != tt.want || err != nil {
				t.Errorf("%s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// A service that hangs is not well, and neither is what answers in its place.
func TestHealthOfWhatIsNotWell(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			<-hang
		}
		http.Redirect(w, r, "/login", http.StatusFound)
	}))
	defer server.Close()
	defer close(hang)
	for _, args := range []string{"--ready --timeout 50ms", "--timeout 10s"} {
		root := newRoot()
		root.SetArgs(append([]string{"healthcheck", "--listen", strings.TrimPrefix(server.URL, "http://")}, strings.Fields(args)...))
		start := time.Now()
		if err := root.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%s: no error", args)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %s", args, took)
		}
	}
}
