// Package httpapi is the HTTP API: Logto's contract for sending mail, the management
// API, and what the console needs. Middleware knows the caller, reads the body, and
// answers errors; handlers decode, call and encode. Package delivery decides what
// becomes of a message.
package httpapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"go.opentelemetry.io/otel/trace"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
	"dmconnector/internal/registry"
	"dmconnector/internal/sampling"
)

// Options are what a [Server] needs.
type Options struct {
	Delivery *delivery.Delivery
	Log      *slog.Logger
	// AccessLog logs each request in a line of its own.
	AccessLog bool
	// Tracer, if not nil, makes the spans of the API's requests.
	Tracer trace.Tracer
	// LogLevel is Log's level, for admins to change. Without it that route does not
	// exist.
	LogLevel *slog.LevelVar

	// Registry has the connectors and email templates, and Messages the messages.
	// Without one of them its routes do not exist.
	Registry *registry.Registry
	Messages Messages
	// Ready returns an error while the state is not available. It may be nil.
	Ready func(context.Context) error

	// SendTokens and AdminTokens are the callers' tokens. Several of a kind allow for
	// rotation. If there are none, only stored tokens are accepted.
	SendTokens, AdminTokens []string

	// NewSender returns the sender of a connector that is not stored.
	NewSender func(*connector.Config) (delivery.Sender, error)

	// Examine looks for what keeps a connector from sending. Without it its route does
	// not exist.
	Examine Examiner

	// Console serves / and /assets/, Sessions stores the console's sessions, and Inbox
	// shows and empties the sandbox's inbox. Without one of them its routes do not
	// exist.
	Console  http.Handler
	Sessions Sessions
	Inbox    http.Handler
	// Metrics serves /metrics, and Rejected is told of each send request that never
	// became a message. Both may be nil.
	Metrics  http.Handler
	Rejected func(errcode.Code)
	// TLS says that the service itself terminates TLS.
	TLS bool
	// Version is the program's version and State the kind of its state, for display.
	Version, State string
}

// A Server answers the service's HTTP requests.
type Server struct {
	opts     Options
	all      http.Handler
	factory  factoryObject
	document func() document
	sampled  *sampling.Logger          // for what anybody can cause
	draining atomic.Pointer[time.Time] // since when
	stopping chan struct{}             // closed by Drain

	streams    chan struct{} // one element for each open stream
	examining  chan struct{} // one element while an examination runs
	large      room          // of admins
	largeSends room

	flagTokens tokens
	tokens     atomic.Pointer[tokens]
}

// New returns a Server that is ready to serve.
func New(opts Options) *Server {
	s := &Server{
		opts: opts, factory: decodeFactory(), sampled: sampling.New(opts.Log, 10, 10*time.Second), flagTokens: tokens{}.with(ScopeSend, opts.SendTokens).with(ScopeAdmin, opts.AdminTokens),
		stopping: make(chan struct{}), streams: make(chan struct{}, maxStreams), examining: make(chan struct{}, 1), large: newRoom(largeBodies), largeSends: newRoom(largeSends),
		document: sync.OnceValue(func() document { return newDocument(opts.Version) }),
	}
	s.SetTokens(nil)
	s.all = s.routes(true, true)
	return s
}

// ServeHTTP serves all routes. It always answers: if it dropped a connection, Logto would
// show the code and its own token to the browser.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.all.ServeHTTP(w, r) }

// Split returns a handler of the routes that send, and one of all others, for two
// addresses. Both have the health checks. Where a route is not served, nothing shows that
// it exists.
func (s *Server) Split() (callers, admin http.Handler) {
	return s.routes(true, false), s.routes(false, true)
}

// routes returns a handler of the health checks, and of callers' and admins' routes.
func (s *Server) routes(callers, admins bool) http.Handler {
	r := chi.NewRouter()
	r.Use(s.observe, s.recoverPanic, s.before(s.prepare), middleware.GetHead)
	r.NotFound(s.handle(notFound))
	r.MethodNotAllowed(s.handle(methodNotAllowed(r)))
	r.Get("/healthz", s.answer(health))
	r.Get("/readyz", s.handle(s.ready(admins)))
	if callers {
		s.callerRoutes(r)
	}
	if admins {
		s.adminRoutes(r)
	}
	return r
}

// callerRoutes are for Logto and other backends, with a send token.
func (s *Server) callerRoutes(r chi.Router) {
	send := r.With(s.before(s.authenticate(ScopeSend), s.acceptsSends), s.limitLarge(s.largeSends, sendBody, time.Second), s.before(s.readBody(sendBody)))
	send.Post("/api/send", s.answer(s.send))
	send.Post("/api/connectors/{id}/send", s.answer(s.send))
}

// adminRoutes are for admins and their browsers, and for Prometheus.
func (s *Server) adminRoutes(r chi.Router) {
	// Anybody.
	r.Get("/openapi.json", s.openAPI)
	if s.opts.Metrics != nil {
		r.Method(http.MethodGet, "/metrics", s.opts.Metrics)
	}
	if s.opts.Console != nil {
		for _, pattern := range []string{"/", "/assets/*"} {
			r.Method(http.MethodGet, pattern, s.opts.Console)
		}
	}
	if s.opts.Sessions != nil {
		r.Get("/api/session", s.answer(s.readSession))
		r.With(s.before(sameOrigin, s.readBody(sessionBody))).Post("/api/session", s.handle(s.openSession))
		r.With(s.before(sameOrigin)).Delete("/api/session", s.handle(s.endSession))
	}

	// Admins, with a token or a session of the console.
	admin := r.With(s.before(s.authenticate(ScopeAdmin)), s.limitLarge(s.large, adminBody, 5*time.Second), s.before(s.readBody(adminBody)))
	ifMatch := admin.With(s.before(readVersion))
	if s.opts.Registry != nil {
		admin.Get("/api/connector-factories", s.answer(s.listFactories))
		factory := admin.With(s.before(isFactory))
		factory.Get("/api/connector-factories/{id}", s.answer(s.readFactory))
		factory.Get("/api/connector-factories/{id}/templates", s.answer(builtinTemplates))
		factory.Post("/api/connector-factories/{id}/validate", s.answer(decoding(strict, s.validate)))
		admin.Get("/api/connectors", s.answer(s.listConnectors))
		admin.Post("/api/connectors", s.answer(decoding(lenient, s.createConnector)))
		admin.Get("/api/connectors/{id}", s.answer(s.readConnector))
		ifMatch.Patch("/api/connectors/{id}", s.answer(decoding(lenient, s.patchConnector)))
		ifMatch.Delete("/api/connectors/{id}", s.answer(s.deleteConnector))
		admin.Post("/api/connectors/{id}/preview", s.answer(decoding(strict, s.preview)))
		r.With(s.before(s.authenticate(ScopeAdmin), s.acceptsSends), s.limitLarge(s.large, testBody, time.Second), s.before(s.readBody(testBody))).
			Post("/api/connectors/{id}/test", s.handle(s.test))
		if s.opts.Examine != nil {
			admin.Post("/api/connectors/{id}/doctor", s.answer(decoding(strict, s.examine)))
		}
		admin.Get("/api/email-templates", s.answer(s.listTemplates))
		admin.Put("/api/email-templates", s.answer(decoding(lenient, s.putTemplates)))
		admin.Delete("/api/email-templates", s.answer(s.deleteTemplates))
		admin.Get("/api/email-templates/{id}", s.answer(s.readTemplate))
		ifMatch.Delete("/api/email-templates/{id}", s.answer(s.deleteTemplate))
		ifMatch.Patch("/api/email-templates/{id}/details", s.answer(s.patchTemplate))
		admin.Get("/api/audit", s.answer(s.listChanges))
	}
	if s.opts.Messages != nil {
		admin.Get("/api/messages", s.answer(s.listMessages))
		admin.Get(eventsPath, s.handle(s.followMessages))
		admin.Post("/api/messages/search", s.answer(decoding(strict, s.searchMessages)))
		message := admin.With(s.before(isMessage))
		message.Get("/api/messages/{id}", s.answer(s.readMessage))
		message.Post("/api/messages/{id}/retry", s.answer(s.retryMessage))
		admin.Get("/api/statistics", s.answer(s.readStatistics))
	}
	if s.opts.LogLevel != nil {
		admin.Get("/api/log-level", s.answer(s.readLogLevel))
		admin.Put("/api/log-level", s.answer(decoding(lenient, s.putLogLevel)))
	}
	if s.opts.Inbox != nil {
		admin.Method(http.MethodGet, "/api/inbox", s.opts.Inbox)
		admin.Method(http.MethodDelete, "/api/inbox", s.opts.Inbox)
	}
}

// Drain makes the server tell load balancers and callers to go elsewhere: it is no
// longer ready, every answer closes its connection, and streams end.
func (s *Server) Drain() {
	now := time.Now()
	if s.draining.CompareAndSwap(nil, &now) {
		close(s.stopping)
	}
}

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	data := append(mustMarshal(v), '\n')
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(data) // an error means that the caller has gone
}

// mustMarshal encodes a value of our own types, which always marshal.
func mustMarshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

func writeAnswer(w http.ResponseWriter, v any) { writeJSON(w, http.StatusOK, "application/json", v) }
