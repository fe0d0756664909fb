package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"time"
)

// OpenSession stores that a browser was signed in with a token, both by their hashes. It
// returns when the session ends by itself.
func (s *Store) OpenSession(ctx context.Context, session, token [sha256.Size]byte, life time.Duration) (time.Time, error) {
	now := s.engine.now()
	expires := fromMicros(micros(now.Add(life)))
	err := s.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO session (hash, token, created_at, expires_at) VALUES ($1, $2, $3, $4)`,
			session[:], token[:], micros(now), micros(expires))
		return err
	})
	return expires, err
}

// Session returns the hash of the token that a session was opened with, and when it ends.
// It reports false if there is no such session, or it has ended.
func (s *Store) Session(ctx context.Context, session [sha256.Size]byte) (token [sha256.Size]byte, expires time.Time, ok bool, err error) {
	now := s.engine.now()
	type stored struct {
		token []byte
		end   int64
	}
	found, err := transact(ctx, s.engine.read, func(t *tx) (found stored, err error) {
		err = t.row(`SELECT token, expires_at FROM session WHERE hash = $1 AND expires_at > $2`, session[:], micros(now)).Scan(&found.token, &found.end)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return found, err
	})
	if err != nil || found.token == nil {
		return token, time.Time{}, false, err
	}
	copy(token[:], found.token)
	return token, fromMicros(found.end), true, nil
}

// EndSession ends a session, if there is one.
func (s *Store) EndSession(ctx context.Context, session [sha256.Size]byte) error {
	// Anybody may call it, so it writes only if there is a session.
	if _, _, ok, err := s.Session(ctx, session); err != nil || !ok {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`DELETE FROM session WHERE hash = $1`, session[:])
		return err
	})
}
