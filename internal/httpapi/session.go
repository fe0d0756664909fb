package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"dmconnector/connector"
	"dmconnector/internal/errcode"
)

// Sessions stores the console's sessions, for all replicas. It knows a session, and the
// token that it was opened with, by their hashes. The store implements it.
type Sessions interface {
	// OpenSession returns when the session ends if it is not used.
	OpenSession(ctx context.Context, session, token [sha256.Size]byte, idle time.Duration) (time.Time, error)
	// Session reports false if there is no such session, or it has ended. This use moves
	// its end to idle from now, but at most to life after the sign-in; if idle is 0 the
	// session is only looked at.
	Session(ctx context.Context, session [sha256.Size]byte, idle, life time.Duration) (token [sha256.Size]byte, expires time.Time, ok bool, err error)
	// EndSession ends a session, if there is one.
	EndSession(ctx context.Context, session [sha256.Size]byte) error
}

const (
	sessionCookie = "dmconnector_session"
	sessionLife   = 12 * time.Hour
	sessionIdle   = 2 * time.Hour
	// backgroundHeader marks requests that a page makes while nobody uses it.
	backgroundHeader = "Dmconnector-Background"
	// sessionTime is how long the state may take to find a session.
	sessionTime = 2 * time.Second
)

// A session is what the console shows of the service it is signed in to.
type session struct {
	Actor   string    `json:"actor"`
	Expires time.Time `json:"expiresAt"`
	Sandbox bool      `json:"sandbox"` // there is an inbox
	Version string    `json:"version"`
	State   string    `json:"state"` // its kind
}

func (s *Server) session(by caller, expires time.Time) session {
	return session{by.actor, expires, s.opts.Inbox != nil, s.opts.Version, s.opts.State}
}

// openSession signs a browser in with an admin token. It ends the session that the
// browser had.
func (s *Server) openSession(w http.ResponseWriter, r *request) error {
	var given struct {
		Token string `json:"token" required:"an admin token"`
	}
	if err := r.decode(&given, strict); err != nil {
		return err
	}
	token := sha256.Sum256([]byte(strings.TrimSpace(given.Token)))
	by, err := s.tokens.Load().find(token, ScopeAdmin)
	if p, ok := errors.AsType[*problem](err); ok && p.Code == errcode.Forbidden {
		p.Errors = []connector.Problem{{Pointer: "/token", Detail: "is for sending only: enter an admin token"}}
	}
	if err != nil {
		return err
	}
	for _, previous := range r.CookiesNamed(sessionCookie) {
		if err := s.opts.Sessions.EndSession(r.Context(), sha256.Sum256([]byte(previous.Value))); err != nil {
			return stateError(err)
		}
	}
	secret := rand.Text()
	expires, err := s.opts.Sessions.OpenSession(r.Context(), sha256.Sum256([]byte(secret)), token, sessionIdle)
	if err != nil {
		return stateError(err)
	}
	s.opts.Log.InfoContext(r.Context(), "signed in", "actor", by.actor)
	s.setSessionCookie(w, r, secret)
	writeAnswer(w, s.session(by, expires))
	return nil
}

func (s *Server) readSession(r *request) (any, error) {
	by, expires, err := s.resume(r.Context(), r, sessionSecret(r))
	return s.session(by, expires), err
}

// endSession signs out. It also clears the cookie of a session that is over.
func (s *Server) endSession(w http.ResponseWriter, r *request) error {
	if secret := sessionSecret(r); secret != "" {
		if err := s.opts.Sessions.EndSession(r.Context(), sha256.Sum256([]byte(secret))); err != nil {
			return stateError(err)
		}
	}
	s.setSessionCookie(w, r, "")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// setSessionCookie sets the cookie, or clears it if the secret is empty. The browser
// drops it when it is closed; the state knows when the session ends.
func (s *Server) setSessionCookie(w http.ResponseWriter, r *request, secret string) {
	// A browser that claims TLS without a proxy only loses its own cookie.
	scheme, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	secure := s.opts.TLS || strings.EqualFold(strings.TrimSpace(scheme), "https")
	c := &http.Cookie{ //nolint:gosec // without TLS a Secure cookie would not come back
		Name: sessionCookie, Value: secret, Path: "/",
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: secure,
	}
	if secret == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// sessionSecret returns what the request's cookie holds, or "". If the request has a
// token, only the token counts.
func sessionSecret(r *request) string {
	cookies := r.CookiesNamed(sessionCookie)
	if len(cookies) != 1 || len(r.Header["Authorization"]) > 0 {
		return ""
	}
	return cookies[0].Value
}

// resume returns whose session it is, and when it ends. A session is only valid while
// the token is that it was opened with. Pages that were left open do not keep it from
// ending: neither their streams nor the requests that they mark are a use of it.
func (s *Server) resume(ctx context.Context, r *request, secret string) (caller, time.Time, error) {
	if secret == "" {
		return caller{}, time.Time{}, &problem{Code: errcode.Unauthorized}
	}
	if err := sameOrigin(nil, r); err != nil {
		return caller{}, time.Time{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, sessionTime)
	defer cancel()
	idle := sessionIdle
	if r.URL.Path == eventsPath || r.Header.Get(backgroundHeader) != "" {
		idle = 0
	}
	token, expires, ok, err := s.opts.Sessions.Session(ctx, sha256.Sum256([]byte(secret)), idle, sessionLife)
	if err != nil {
		return caller{}, time.Time{}, stateError(err)
	}
	by, err := s.tokens.Load().find(token, ScopeAdmin)
	if !ok || err != nil {
		return caller{}, time.Time{}, &problem{Code: errcode.Unauthorized}
	}
	return by, expires, nil
}

// sameOrigin rejects what another site's page makes a browser do. A browser that does
// not say whether the page is ours, as over plain HTTP, is judged by Origin and Host,
// which a proxy may have changed.
func sameOrigin(_ http.ResponseWriter, r *request) error {
	err := http.NewCrossOriginProtection().Check(r.Request)
	if err == nil {
		return nil
	}
	detail := "requests from another site's page are rejected"
	if r.Header.Get("Sec-Fetch-Site") == "" {
		detail = fmt.Sprintf("the page's origin is %.100q, but the request's Host header is %.100q: if a proxy is in between, it must pass the Host header unchanged, with the port",
			r.Header.Get("Origin"), r.Host)
	}
	return &problem{Code: errcode.Forbidden, Detail: detail, err: err}
}
