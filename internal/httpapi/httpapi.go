// Package httpapi speaks Logto's contract over HTTP: routes, callers' tokens,
// requests in, problem details out. What becomes of a message is decided in
// package delivery.
package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"go.opentelemetry.io/otel/trace"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
	"dmconnector/internal/registry"
)

// Options are what a [Server] needs.
type Options struct {
	Delivery *delivery.Delivery
	Log      *slog.Logger
	// AccessLog has each request logged, in a line of its own.
	AccessLog bool
	// Tracer, if not nil, makes the spans of the API's requests.
	Tracer trace.Tracer
	// LogLevel is Log's, for admins to change. Without it that route does not exist.
	LogLevel *slog.LevelVar

	// Registry has the connectors and email templates, Messages what became of
	// the messages. Without one its routes do not exist.
	Registry *registry.Registry
	Messages Messages
	// Ready returns an error while the state is not available. It may be nil.
	Ready func(context.Context) error

	// SendTokens may send, AdminTokens may administrate. Several of a kind are
	// for rotation. With none, a kind's routes are for stored tokens alone.
	SendTokens, AdminTokens []string

	// NewSender makes the sender of a connector that is only tried.
	NewSender func(*connector.Config) (delivery.Sender, error)

	// Examine looks for what keeps a connector from sending. Without one its route
	// does not exist.
	Examine Examiner

	// Console answers / and /assets/, Sessions remembers who is signed in there, and
	// Inbox shows and empties the sandbox's inbox. Without one its routes do not
	// exist.
	Console  http.Handler
	Sessions Sessions
	Inbox    http.Handler
	// Metrics answers /metrics, and Refused is told of each send request that never
	// became a message. Both may be nil.
	Metrics http.Handler
	Refused func(errcode.Code)
	// TLS says that callers speak HTTPS with the service itself.
	TLS bool
	// Version is the program's and State the kind of its state, to be shown.
	Version, State string
}

// A Server answers the service's HTTP requests.
type Server struct {
	opts     Options
	router   chi.Router
	factory  factoryObject
	document func() document
	draining atomic.Pointer[time.Time] // since when
	stopping chan struct{}             // closed by Drain
	streams  chan struct{}             // one for each that is open

	examining chan struct{} // one for the examination under way

	flagTokens tokens
	tokens     atomic.Pointer[tokens]
}

// New returns a Server that is ready to serve.
func New(opts Options) *Server {
	s := &Server{
		opts: opts, factory: decodeFactory(), flagTokens: newTokens(opts.SendTokens, opts.AdminTokens),
		stopping: make(chan struct{}), streams: make(chan struct{}, maxStreams),
		examining: make(chan struct{}, 1),
		document:  sync.OnceValue(func() document { return newDocument(opts.Version) }),
	}
	s.SetTokens(nil)
	r := chi.NewRouter()
	if s.observes() {
		r.Use(noteRoute)
	}
	r.Use(s.textOnly)
	r.NotFound(s.handle(func(http.ResponseWriter, *http.Request) error { return problemOf(codeNotFound) }))
	r.MethodNotAllowed(s.handle(func(http.ResponseWriter, *http.Request) error { return problemOf(codeMethodNotAllowed) }))
	r.Get("/healthz", s.health)
	r.Get("/readyz", s.ready)
	if opts.Metrics != nil {
		r.Method(http.MethodGet, "/metrics", opts.Metrics)
	}
	r.Get("/openapi.json", s.openAPI)
	r.Post("/api/send", s.handle(s.send))
	r.Post("/api/connectors/{id}/send", s.handle(s.send))
	if opts.Registry != nil {
		s.adminRoutes(r)
	}
	if opts.Messages != nil {
		s.messageRoutes(r)
	}
	if opts.LogLevel != nil {
		s.logLevelRoutes(r)
	}
	s.consoleRoutes(r)
	s.router = r
	return s
}

// Drain makes the server tell load balancers and callers to go elsewhere: it is
// no longer ready, every answer closes its connection, and streams end.
func (s *Server) Drain() {
	now := time.Now()
	if s.draining.CompareAndSwap(nil, &now) {
		close(s.stopping)
	}
}

// lateAfter is when a server that stops begins no more sends: they could outlast
// it.
const lateAfter = 4 * time.Second

func (s *Server) late() bool {
	since := s.draining.Load()
	return since != nil && time.Since(*since) > lateAfter
}

// ServeHTTP always answers: a dropped connection would make Logto show the code
// and its token to the browser.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w, r, tell := s.observe(w, r)
	defer tell()
	defer func() {
		if cause := recover(); cause != nil {
			incident := delivery.NewID()
			s.opts.Log.ErrorContext(r.Context(), "panic", "incident", incident, "cause", panicCause(cause), "stack", string(debug.Stack()))
			s.fail(w, r, &problem{Code: errcode.Internal, Incident: incident})
		}
	}()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if s.draining.Load() != nil {
		h.Set("Connection", "close")
	}
	s.router.ServeHTTP(w, r)
}

// textOnly answers 400 if path or query are not text that every database stores.
func (s *Server) textOnly(next http.Handler) http.Handler {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		valid := func(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
		ok := valid(r.URL.Path)
		for key, values := range r.URL.Query() {
			ok = ok && valid(key+strings.Join(values, ""))
		}
		if !ok {
			return &problem{Code: codeInvalidRequest, Detail: "path and query must be UTF-8 without NUL", public: true}
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// panicCause returns what may be logged of a panic's value: the runtime's own
// words, but nothing that may hold a part of a message.
func panicCause(cause any) string {
	if err, ok := cause.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", cause)
}

// handle adapts a handler that returns its error instead of writing it.
func (s *Server) handle(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, "application/json", map[string]string{"status": "ok"})
}

// sent is the answer to an accepted send.
type sent struct {
	ID    string `json:"id"`
	State string `json:"state"`
}

// maxKey is what an Idempotency-Key may have, in bytes.
const maxKey = 255

// send takes Logto's request and answers when Aliyun has accepted the mail, or
// when it is safely queued.
func (s *Server) send(w http.ResponseWriter, r *http.Request) error {
	arrived := arrival(r)
	by, err := s.authorize(r, ScopeSend)
	if err != nil {
		return err
	}
	if s.late() {
		return problemOf(errcode.Unavailable)
	}
	target, ok := s.opts.Delivery.Connector(chi.URLParam(r, "id"))
	if !ok {
		return problemOf(errcode.ConnectorNotFound)
	}
	if !by.sendsThrough(target.ID) {
		return problemOf(codeForbidden)
	}
	key := r.Header.Get("Idempotency-Key")
	if len(key) > maxKey {
		return &problem{Code: codeInvalidRequest, Detail: "the Idempotency-Key is longer than 255 bytes", public: true}
	}
	body, err := readBody(w, r, arrived, sendBody)
	if err != nil {
		return err
	}
	message, err := connector.ParseMessage(body)
	if err != nil {
		return invalidRequest(err)
	}
	report, err := s.opts.Delivery.Send(r.Context(), target, delivery.Request{
		Message: message, Arrived: arrived, BodySum: sha256.Sum256(body), IdempotencyKey: key, Queue: prefersQueue(r),
	})
	if err != nil {
		return publicFailure(err)
	}
	noteIncident(r, report.ID)
	status := http.StatusOK
	if report.State == delivery.StateQueued {
		status = http.StatusAccepted
	}
	writeJSON(w, status, "application/json", sent{ID: report.ID, State: string(report.State)})
	return nil
}

// prefersQueue reports whether the caller would rather not wait (RFC 7240, 4.1).
func prefersQueue(r *http.Request) bool {
	for _, line := range r.Header.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(preference, ";")
			if strings.EqualFold(strings.TrimSpace(name), "respond-async") {
				return true
			}
		}
	}
	return false
}

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types always marshal
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	// A caller that has gone cannot be told so.
	_, _ = w.Write(append(data, '\n'))
}
