package console_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"dmconnector/internal/console"
)

func compressed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func newTestHandler(t *testing.T) http.Handler {
	t.Helper()
	h, err := console.NewHandler(fstest.MapFS{
		"index.html":          {Data: []byte("<!doctype html>page")},
		"secret.js":           {Data: []byte("not an asset")},
		"assets/a-1234.js":    {Data: []byte("the script")},
		"assets/a-1234.js.gz": {Data: compressed(t, "the script")},
		"assets/a-1234.css":   {Data: []byte("the style")},
		"assets/a-1234.exe":   {Data: []byte("of no known type")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(t *testing.T, h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestFiles(t *testing.T) {
	const forever = "public, max-age=31536000, immutable"
	tests := map[string]struct {
		path, header                          string
		status                                int
		contentType, encoding, caching, saved string
	}{
		"the page":              {"/", "", 200, "text/html; charset=utf-8", "", "no-cache", "<!doctype html>page"},
		"a script":              {"/assets/a-1234.js", "", 200, "text/javascript; charset=utf-8", "", forever, "the script"},
		"a script, compressed":  {"/assets/a-1234.js", "Accept-Encoding: deflate, gzip;q=0.5", 200, "text/javascript; charset=utf-8", "gzip", forever, "the script"},
		"compressed not wanted": {"/assets/a-1234.js", "Accept-Encoding: gzip; q=0, br", 200, "text/javascript; charset=utf-8", "", forever, "the script"},
		"a style":               {"/assets/a-1234.css", "Accept-Encoding: gzip", 200, "text/css; charset=utf-8", "", forever, "the style"},
		"no file":               {"/assets/none.js", "", 404, "application/problem+json", "", "no-store", ""},
		"the compressed itself": {"/assets/a-1234.js.gz", "", 404, "application/problem+json", "", "no-store", ""},
		"of an unknown type":    {"/assets/a-1234.exe", "", 404, "application/problem+json", "", "no-store", ""},
		"a folder":              {"/assets/", "", 404, "application/problem+json", "", "no-store", ""},
		"no asset":              {"/secret.js", "", 404, "application/problem+json", "", "no-store", ""},
		"the page by its name":  {"/index.html", "", 404, "application/problem+json", "", "no-store", ""},
		"out of the folder":     {"/assets/../secret.js", "", 404, "application/problem+json", "", "no-store", ""},
	}
	h := newTestHandler(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := get(t, h, "GET", tt.path, tt.header)
			header := got.Header()
			if got.Code != tt.status || header.Get("Content-Type") != tt.contentType || header.Get("Content-Encoding") != tt.encoding || header.Get("Cache-Control") != tt.caching {
				t.Errorf("%d %v", got.Code, header)
			}
			body := got.Body.String()
			if tt.encoding == "gzip" {
				r, err := gzip.NewReader(got.Body)
				if err != nil {
					t.Fatal(err)
				}
				data, _ := io.ReadAll(r)
				body = string(data)
			}
			if tt.saved != "" && body != tt.saved || tt.saved == "" && !strings.Contains(body, `"code":"not_found"`) {
				t.Errorf("%q", body)
			}
			if (tt.path == "/assets/a-1234.js") != (header.Get("Vary") == "Accept-Encoding") {
				t.Errorf("Vary: %q", header.Get("Vary"))
			}
		})
	}
}

// Nothing of the page is trusted with more than it needs.
func TestHeaders(t *testing.T) {
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
			"font-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
		"Referrer-Policy":            "no-referrer",
		"X-Content-Type-Options":     "nosniff",
		"X-Frame-Options":            "DENY",
		"Cross-Origin-Opener-Policy": "same-origin",
	}
	for _, path := range []string{"/", "/assets/a-1234.js", "/assets/none.js"} {
		got := get(t, newTestHandler(t), "GET", path)
		for name, value := range want {
			if got.Header().Get(name) != value {
				t.Errorf("%s %s: %q", path, name, got.Header().Get(name))
			}
		}
	}
}

func TestPageIsSentOnceUntilItChanges(t *testing.T) {
	h := newTestHandler(t)
	first := get(t, h, "GET", "/")
	etag := first.Header().Get("ETag")
	if again := get(t, h, "GET", "/", "If-None-Match: "+etag); etag == "" || again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("%s: %d", etag, again.Code)
	}
	if changed := get(t, h, "GET", "/", `If-None-Match: "other"`); changed.Code != http.StatusOK {
		t.Errorf("%d", changed.Code)
	}
	if head := get(t, h, "HEAD", "/"); head.Code != http.StatusOK || head.Body.Len() > 0 || head.Header().Get("Content-Length") != "19" {
		t.Errorf("%d %v", head.Code, head.Header())
	}
	plain, packed := get(t, h, "GET", "/assets/a-1234.js"), get(t, h, "GET", "/assets/a-1234.js", "Accept-Encoding: gzip")
	if plain.Header().Get("ETag") == packed.Header().Get("ETag") {
		t.Error("two contents have one ETag")
	}
}

var (
	reference = regexp.MustCompile(`(?:src|href)="([^"]*)"`)
	script    = regexp.MustCompile(`(?i)<script\b[^>]*>`)
	handler   = regexp.MustCompile(`(?i)<[^>]*\son[a-z]+\s*=`)
)

// The embedded page has all that it names, and no script of its own, which the
// policy would block.
func TestEmbeddedPage(t *testing.T) {
	h := console.New()
	page := get(t, h, "GET", "/")
	if page.Code != http.StatusOK {
		t.Fatal(page.Code)
	}
	for _, match := range reference.FindAllStringSubmatch(page.Body.String(), -1) {
		name := match[1]
		if strings.HasPrefix(name, "data:") {
			continue
		}
		if got := get(t, h, "GET", "/"+name); !strings.HasPrefix(name, "assets/") || got.Code != http.StatusOK {
			t.Errorf("%s: %d", name, got.Code)
		}
	}
	for _, tag := range script.FindAllString(page.Body.String(), -1) {
		if !strings.Contains(tag, "src=") {
			t.Errorf("an inline script: %s", tag)
		}
	}
	if tag := handler.FindString(page.Body.String()); tag != "" {
		t.Errorf("an inline handler: %s", tag)
	}
}
