// Package console serves the admin console: embedded files, built from the sources in
// web. It does not know the API that the page uses.
package console

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed all:dist
var dist embed.FS

// policy allows the page only its own files and its own origin. Inline styles are
// allowed since the preview of a mail inherits the policy, and mails use them.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// contentTypes does not depend on the system's own table, which varies.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
}

type handler struct {
	files fs.FS
	etags map[string]string // by file name
}

// New returns a handler of / and /assets/.
func New() http.Handler {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is valid
	}
	h, err := newHandler(files)
	if err != nil {
		panic(err) // embedded files can be read
	}
	return h
}

func newHandler(files fs.FS) (*handler, error) {
	h := &handler{files: files, etags: make(map[string]string)}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		hash := sha256.Sum256(data)
		h.etags[name] = fmt.Sprintf(`"%x"`, hash[:12])
		return err
	})
	return h, err
}

// ServeHTTP serves index.html at / and the files of assets, whose names contain a hash
// of their content.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		header.Set("Cache-Control", "no-cache")
		h.serve(w, r, "index.html")
		return
	}
	contentType := contentTypes[path.Ext(name)]
	if h.etags[name] == "" || !strings.HasPrefix(name, "assets/") || contentType == "" {
		notFound(w)
		return
	}
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.serve(w, r, name)
}

// serve serves a file, compressed if the build has it and the browser accepts it.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, name string) {
	header := w.Header()
	header.Set("Content-Type", contentTypes[path.Ext(name)])
	if compressed := name + ".gz"; h.etags[compressed] != "" {
		header.Add("Vary", "Accept-Encoding")
		if takesGzip(r) {
			header.Set("Content-Encoding", "gzip")
			name = compressed
		}
	}
	f, err := h.files.Open(name)
	if err != nil {
		notFound(w)
		return
	}
	defer f.Close() //nolint:errcheck // it was only read
	header.Set("ETag", h.etags[name])
	http.ServeContent(w, r, name, time.Time{}, f.(io.ReadSeeker)) // as embed says
}

// takesGzip reports whether the request accepts gzip.
func takesGzip(r *http.Request) bool {
	for given := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, weight, _ := strings.Cut(given, ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			q := strings.ReplaceAll(weight, " ", "")
			return strings.Trim(strings.TrimPrefix(q, "q="), "0.") != "" || !strings.HasPrefix(q, "q=")
		}
	}
	return false
}

// notFound answers as the API does.
func notFound(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Del("Content-Encoding")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, `{"type":"urn:dmconnector:problem:not_found","title":"There is no such file","status":404,"code":"not_found"}`+"\n")
}
