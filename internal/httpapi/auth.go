package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"dmconnector/internal/errcode"
)

// A Scope is what a token may be used for.
type Scope string

// The scopes.
const (
	ScopeSend  Scope = "send"
	ScopeAdmin Scope = "admin"
)

// A Token is a caller's token, of which only the hash is known.
type Token struct {
	ID        string            // names the token in the audit trail
	Hash      [sha256.Size]byte // of the token as callers send it
	Scope     Scope
	Connector string    // the only connector that it may send through; empty means any
	Expires   time.Time // zero means never
}

// SetTokens replaces the stored tokens. The tokens of [Options] stay.
func (s *Server) SetTokens(stored []Token) {
	list := make(tokens, 0, len(s.flagTokens)+len(stored))
	list = append(list, s.flagTokens...)
	for _, t := range stored {
		list = append(list, token{Token: t, actor: "token " + t.ID})
	}
	s.tokens.Store(&list)
}

// tokens are the callers' tokens. Hashes have one length, so that the time of a
// comparison tells nothing of the token.
type tokens []token

type token struct {
	Token
	actor string
}

// with returns the list with tokens of a scope, which are told apart by their order.
func (list tokens) with(scope Scope, given []string) tokens {
	for i, t := range given {
		actor := string(scope) + "-token"
		if i > 0 {
			actor = fmt.Sprintf("%s %d", actor, i+1)
		}
		list = append(list, token{Token{Hash: sha256.Sum256([]byte(t)), Scope: scope}, actor})
	}
	return list
}

// A caller is who made a request.
type caller struct {
	actor     string // whose token it was, for the audit trail; nothing of the token itself
	connector string // the only one that it may send through; empty means any
}

// sendsThrough reports whether the caller may send through the connector.
func (c caller) sendsThrough(id string) bool { return c.connector == "" || c.connector == id }

// authorize checks that the request has a token of the wanted scope, or for an admin
// the cookie of a session instead.
func (s *Server) authorize(ctx context.Context, r *request, want Scope) (caller, error) {
	if secret := sessionSecret(r); secret != "" && want == ScopeAdmin && s.opts.Sessions != nil {
		by, _, err := s.resume(ctx, r, secret)
		return by, err
	}
	return s.tokens.Load().find(sha256.Sum256([]byte(bearer(r))), want)
}

// find returns the owner of the token with that hash, which must have the scope.
func (list tokens) find(hash [sha256.Size]byte, want Scope) (caller, error) {
	now := time.Now()
	known := false
	var found *token
	for i := range list {
		t := &list[i]
		// Compare with every token, so that the time does not tell which one matches.
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
		return caller{}, &problem{Code: errcode.Forbidden}
	default:
		return caller{}, &problem{Code: errcode.Unauthorized}
	}
}

// bearer returns the request's token, or "". "Bearer " before it is optional: Logto
// sends its setting verbatim.
func bearer(r *request) string {
	given := r.Header.Get("Authorization")
	if len(r.Header["Authorization"]) > 1 {
		return "" // a proxy could have checked the other one
	}
	if len(given) >= 7 && strings.EqualFold(given[:7], "Bearer ") {
		return strings.TrimSpace(given[7:])
	}
	return given
}
