package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// A scope is what a token may be used for.
type scope int

const (
	scopeSend scope = iota
	scopeAdmin
)

// tokens knows the callers' tokens by their hashes: they all have one length,
// so that a comparison's time tells nothing of the token.
type tokens []token

type token struct {
	hash  [sha256.Size]byte
	scope scope
}

func newTokens(send, admin []string) tokens {
	var list tokens
	for _, t := range send {
		list = append(list, token{sha256.Sum256([]byte(t)), scopeSend})
	}
	for _, t := range admin {
		list = append(list, token{sha256.Sum256([]byte(t)), scopeAdmin})
	}
	return list
}

// authorize checks that the request carries a token of the wanted scope, with
// "Bearer " in front or without: Logto sends its setting as it stands.
func (list tokens) authorize(r *http.Request, want scope) error {
	hash := sha256.Sum256([]byte(bearer(r)))
	known, granted := 0, 0
	for _, t := range list {
		same := subtle.ConstantTimeCompare(hash[:], t.hash[:])
		known |= same
		if t.scope == want {
			granted |= same
		}
	}
	switch {
	case granted == 1:
		return nil
	case known == 1:
		return problemOf(codeForbidden)
	default:
		return problemOf(codeUnauthorized)
	}
}

// bearer returns the token that the request carries, or "".
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
