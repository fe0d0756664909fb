package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

// Sessions remembers who is signed in, for all replicas. The store is the real
// one. It knows a session, and the token that it was opened with, by their hashes.
type Sessions interface {
	// OpenSession returns when the session ends by itself.
	OpenSession(ctx context.Context, session, token [sha256.Size]byte, life time.Duration) (time.Time, error)
	// Session reports false if there is none, or none any more.
	Session(ctx context.Context, session [sha256.Size]byte) (token [sha256.Size]byte, expires time.Time, ok bool, err error)
	// EndSession ends a session, if there is one.
	EndSession(ctx context.Context, session [sha256.Size]byte) error
}

const (
	sessionCookie = "dmconnector_session"
	sessionLife   = 12 * time.Hour
	// sessionTime is how long the state may take to find a session.
	sessionTime = 2 * time.Second
)

var sessionBody = bodyLimit{mebibytes: 1, time: 2 * time.Second}

func (s *Server) sessionRoutes(r chi.Router) {
	r.Get("/api/session", s.handle(s.readSession))
	r.Post("/api/session", s.handle(s.openSession))
	r.Delete("/api/session", s.handle(s.endSession))
}

// A session is what a page needs to know of where it is signed in.
type session struct {
	Actor   string    `json:"actor"`
	Expires time.Time `json:"expiresAt"`
	Sandbox bool      `json:"sandbox"` // there is an inbox
	Version string    `json:"version"`
	State   string    `json:"state"` // its kind
}

func (s *Server) writeSession(w http.ResponseWriter, by caller, expires time.Time) {
	writeAnswer(w, session{by.actor, expires, s.opts.Inbox != nil, s.opts.Version, s.opts.State})
}

// openSession signs a browser in with an admin token.
func (s *Server) openSession(w http.ResponseWriter, r *http.Request) error {
	if err := sameOrigin(r); err != nil {
		return err
	}
	f, err := readFields(w, r, sessionBody)
	if err != nil {
		return err
	}
	given := strings.TrimSpace(f.required("token", "an admin token"))
	f.only("token")
	if err := f.err(); err != nil {
		return err
	}
	token := sha256.Sum256([]byte(given))
	by, err := s.tokens.Load().find(token, ScopeAdmin)
	if err != nil {
		return err
	}
	secret := rand.Text()
	expires, err := s.opts.Sessions.OpenSession(r.Context(), sha256.Sum256([]byte(secret)), token, sessionLife)
	if err != nil {
		return stateProblem(err)
	}
	s.opts.Log.InfoContext(r.Context(), "signed in", "actor", by.actor)
	s.setSessionCookie(w, r, secret)
	s.writeSession(w, by, expires)
	return nil
}

func (s *Server) readSession(w http.ResponseWriter, r *http.Request) error {
	by, expires, err := s.resume(r, sessionSecret(r))
	if err != nil {
		return err
	}
	s.writeSession(w, by, expires)
	return nil
}

// endSession signs out, also a browser whose session is over already.
func (s *Server) endSession(w http.ResponseWriter, r *http.Request) error {
	if err := sameOrigin(r); err != nil {
		return err
	}
	if secret := sessionSecret(r); secret != "" {
		if err := s.opts.Sessions.EndSession(r.Context(), sha256.Sum256([]byte(secret))); err != nil {
			return stateProblem(err)
		}
	}
	s.setSessionCookie(w, r, "")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// setSessionCookie gives the browser its secret, or takes it away. The cookie ends
// with the browser's own session; how long it is good the state knows.
func (s *Server) setSessionCookie(w http.ResponseWriter, r *http.Request, secret string) {
	c := &http.Cookie{ //nolint:gosec // without TLS a Secure cookie would not come back
		Name: sessionCookie, Value: secret, Path: "/",
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: s.opts.TLS || forwardedHTTPS(r),
	}
	if secret == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// forwardedHTTPS reports whether the browser spoke TLS with a proxy. One who says
// so without reason only keeps a cookie from himself.
func forwardedHTTPS(r *http.Request) bool {
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return strings.EqualFold(strings.TrimSpace(first), "https")
}

// sessionSecret returns what the request's cookie holds, or "". A request that
// brings a token is judged by that alone.
func sessionSecret(r *http.Request) string {
	cookies := r.CookiesNamed(sessionCookie)
	if len(cookies) != 1 || len(r.Header["Authorization"]) > 0 {
		return ""
	}
	return cookies[0].Value
}

// resume finds whose session it is. A session lasts as long as the token that it
// was opened with: each request looks at both.
func (s *Server) resume(r *http.Request, secret string) (caller, time.Time, error) {
	if secret == "" {
		return caller{}, time.Time{}, problemOf(codeUnauthorized)
	}
	if err := sameOrigin(r); err != nil {
		return caller{}, time.Time{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), sessionTime)
	defer cancel()
	token, expires, ok, err := s.opts.Sessions.Session(ctx, sha256.Sum256([]byte(secret)))
	if err != nil {
		return caller{}, time.Time{}, stateProblem(err)
	}
	if !ok {
		return caller{}, time.Time{}, problemOf(codeUnauthorized)
	}
	by, err := s.tokens.Load().find(token, ScopeAdmin)
	if err != nil {
		return caller{}, time.Time{}, problemOf(codeUnauthorized)
	}
	return by, expires, nil
}

// sameOrigin refuses what a page of another site makes a browser do.
func sameOrigin(r *http.Request) error {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return &problem{Code: codeForbidden, Detail: "requests from pages of another site are refused", err: err}
	}
	return nil
}
