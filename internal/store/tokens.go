package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"dmconnector/internal/registry"
)

// A Token is a caller's token. The store has its hash only.
type Token struct {
	ID                        string
	Hash                      [sha256.Size]byte // of the token as callers give it
	Scope                     string            // "send" or "admin"
	Connector                 string            // the only one that it may send through; empty means any
	Note                      string            // for people
	Created, Expires, Revoked time.Time         // zero means never
}

const (
	// tokenPrefix lets secret scanners recognise a token.
	tokenPrefix = "dmc_"
	maxNote     = 200 // bytes
)

// CreateToken makes a token with that scope, connector, note and expiry, and fills in the
// rest. It also returns the token as callers give it, which is not stored. by is who made
// it, for the audit trail.
func (s *Store) CreateToken(ctx context.Context, by string, t Token) (Token, string, error) {
	now := s.engine.now()
	if err := t.check(now); err != nil {
		return Token{}, "", err
	}
	secret := tokenPrefix + rand.Text()
	t.ID, t.Hash = uuid.Must(uuid.NewV7()).String(), sha256.Sum256([]byte(secret))
	t.Created, t.Revoked = fromMicros(micros(now)), time.Time{}
	c := change(by, "token.create", t.ID)
	var err error
	c.Detail, err = json.Marshal(struct {
		Scope     string    `json:"scope"`
		Connector string    `json:"connector,omitempty"`
		Expires   time.Time `json:"expiresAt,omitzero"`
	}{t.Scope, t.Connector, t.Expires})
	if err != nil {
		return Token{}, "", err
	}
	err = s.configure(ctx, c, func(x *tx, _ time.Time) error {
		_, err := x.exec(`
INSERT INTO token (id, hash, scope, connector, note, created_at, expires_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)`,
			t.ID, t.Hash[:], t.Scope, t.Connector, t.Note, micros(t.Created), micros(t.Expires))
		return err
	})
	if err != nil {
		return Token{}, "", err
	}
	return t, secret, nil
}

// check checks a token before it is made.
func (t *Token) check(now time.Time) error {
	switch {
	case t.Scope != "send" && t.Scope != "admin":
		return errors.New("a token's scope must be send or admin")
	case t.Scope == "admin" && t.Connector != "":
		return errors.New("a token of scope admin is for all connectors")
	case len(t.Connector) > maxNote || strings.ContainsFunc(t.Connector, unicode.IsControl):
		return errors.New("a token's connector must be a connector's id")
	case len(t.Note) > maxNote || strings.ContainsFunc(t.Note, unicode.IsControl):
		return fmt.Errorf("a token's note must be one line of at most %d bytes", maxNote)
	case !t.Expires.IsZero() && !t.Expires.After(now):
		return errors.New("a token must expire in the future")
	}
	return nil
}

// Tokens returns all tokens, revoked and expired ones too, the oldest first.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	return transact(ctx, s.engine.read, func(t *tx) ([]Token, error) {
		return collect(t, scanToken, `SELECT id, hash, scope, connector, note, created_at, expires_at, revoked_at FROM token ORDER BY created_at, id`)
	})
}

func scanToken(row scanner) (t Token, err error) {
	err = row.Scan(&t.ID, stored{&t.Hash}, &t.Scope, &t.Connector, &t.Note, stored{&t.Created}, stored{&t.Expires}, stored{&t.Revoked})
	return t, err
}

// RevokeToken ends a token. It returns [registry.ErrNotFound] if there is no such token;
// one that is revoked already stays as it is.
func (s *Store) RevokeToken(ctx context.Context, by, id string) error {
	if !storable(id) {
		return registry.ErrNotFound
	}
	err := s.configure(ctx, change(by, "token.revoke", id), func(t *tx, now time.Time) error {
		return t.change("token", id, `UPDATE token SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0`, id, micros(now))
	})
	if errors.Is(err, registry.ErrChanged) {
		return nil
	}
	return err
}

// OpenSession stores that a browser was signed in with a token, both by their hashes. It
// returns when the session ends if it is not used.
func (s *Store) OpenSession(ctx context.Context, session, token [sha256.Size]byte, idle time.Duration) (time.Time, error) {
	now := s.engine.now()
	expires := fromMicros(micros(now.Add(idle)))
	_, err := s.exec(ctx, `INSERT INTO session (hash, token, created_at, expires_at) VALUES ($1, $2, $3, $4)`,
		session[:], token[:], micros(now), micros(expires))
	return expires, err
}

// sessionStep is by how much a use must move the end of a session to be written, so that
// few of the reads become writes.
const sessionStep = time.Minute

// Session returns the hash of the token that a session was opened with, and when it ends.
// It reports false if there is no such session, or it has ended. This use of the session
// moves its end to idle from now, but at most to life after the sign-in. If idle is 0 the
// session is only looked at.
func (s *Store) Session(ctx context.Context, session [sha256.Size]byte, idle, life time.Duration) (token [sha256.Size]byte, expires time.Time, ok bool, err error) {
	now := s.engine.now()
	found, err := transact(ctx, s.engine.read, func(t *tx) (opened Token, err error) {
		err = t.row(`SELECT token, created_at, expires_at FROM session WHERE hash = $1 AND expires_at > $2`, session[:], micros(now)).
			Scan(stored{&opened.Hash}, stored{&opened.Created}, stored{&opened.Expires})
		return opened, err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return token, time.Time{}, false, nil
	}
	if err != nil || idle == 0 {
		return found.Hash, found.Expires, err == nil, err
	}
	end := now.Add(idle)
	if last := found.Created.Add(life); end.After(last) {
		end = last
	}
	if end.Sub(found.Expires) < sessionStep {
		return found.Hash, found.Expires, true, nil
	}
	written, err := s.exec(ctx, `UPDATE session SET expires_at = $2 WHERE hash = $1 AND expires_at <= $3`,
		session[:], micros(end), micros(end.Add(-sessionStep)))
	if err == nil && written > 0 {
		found.Expires = fromMicros(micros(end))
	}
	// A state that cannot be written can still be looked at.
	return found.Hash, found.Expires, true, nil
}

// EndSession ends a session, if there is one.
func (s *Store) EndSession(ctx context.Context, session [sha256.Size]byte) error {
	// Anybody may call it, so it writes only if there is a session.
	if _, _, ok, err := s.Session(ctx, session, 0, 0); err != nil || !ok {
		return err
	}
	_, err := s.exec(ctx, `DELETE FROM session WHERE hash = $1`, session[:])
	return err
}
