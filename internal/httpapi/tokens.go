package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A Scope is what a token may be used for.
type Scope string

// The scopes.
const (
	ScopeSend  Scope = "send"
	ScopeAdmin Scope = "admin"
)

// A Token is a caller's token, known by its hash alone.
type Token struct {
	ID        string            // names the token in the audit trail
	Hash      [sha256.Size]byte // of the token as callers give it
	Scope     Scope
	Connector string    // the only connector that it may send through; empty is any
	Expires   time.Time // zero is never
}

// SetTokens puts stored tokens into force, in place of those of the call before.
// The tokens of [Options] stay.
func (s *Server) SetTokens(stored []Token) {
	list := make(tokens, 0, len(s.flagTokens)+len(stored))
	list = append(list, s.flagTokens...)
	for _, t := range stored {
		list = append(list, token{Token: t, actor: "token " + t.ID})
	}
	s.tokens.Store(&list)
}

// tokens knows the callers' tokens by their hashes: they all have one length,
// so that a comparison's time tells nothing of the token.
type tokens []token

type token struct {
	Token
	actor string
}

func newTokens(send, admin []string) tokens {
	var list tokens
	for _, kind := range []struct {
		scope Scope
		given []string
	}{{ScopeSend, send}, {ScopeAdmin, admin}} {
		for i, t := range kind.given {
			actor := string(kind.scope) + "-token"
			if i > 0 {
				actor = fmt.Sprintf("%s %d", actor, i+1)
			}
			list = append(list, token{Token{Hash: sha256.Sum256([]byte(t)), Scope: kind.scope}, actor})
		}
	}
	return list
}

// A caller is who made a request.
type caller struct {
	actor     string // whose token it was, for the audit trail: nothing of the token
	connector string // the only one that it may send through; empty is any
}

// sendsThrough reports whether the caller may send through the connector.
func (c caller) sendsThrough(id string) bool { return c.connector == "" || c.connector == id }

// authorize checks that the request carries a token of the wanted scope, or for an
// admin instead the cookie of a session.
func (s *Server) authorize(r *http.Request, want Scope) (caller, error) {
	if secret := sessionSecret(r); secret != "" && want == ScopeAdmin && s.opts.Sessions != nil {
		by, _, err := s.resume(r, secret)
		return by, err
	}
	return s.tokens.Load().find(sha256.Sum256([]byte(bearer(r))), want)
}

// find returns whose token of the wanted scope has that hash.
func (list tokens) find(hash [sha256.Size]byte, want Scope) (caller, error) {
	now := time.Now()
	known := false
	var found *token
	for i := range list {
		t := &list[i]
		// Every token is compared, whichever is the right one.
		same := subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1
		if !same || !t.Expires.IsZero() && !now.Before(t.Expires) {
			continue
		}
		known = true
		if t.Scope == want {
			found = t
		}
	}
	switch {
	case found != nil:
		return caller{actor: found.actor, connector: found.Connector}, nil
	case known:
		return caller{}, problemOf(codeForbidden)
	default:
		return caller{}, problemOf(codeUnauthorized)
	}
}

// bearer returns the token that the request carries, with "Bearer " in front or
// without, as Logto sends its setting as it stands; or "".
func bearer(r *http.Request) string {
	given := r.Header.Get("Authorization")
	if len(r.Header["Authorization"]) > 1 {
		return "" // two readers of this request could see two callers
	}
	if len(given) >= 7 && strings.EqualFold(given[:7], "Bearer ") {
		return strings.TrimSpace(given[7:])
	}
	return given
}
