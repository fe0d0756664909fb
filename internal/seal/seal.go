// Package seal keeps secrets at rest unreadable: it encrypts and authenticates
// with AES-256-GCM under a ring of keys, of which the first seals and all open,
// so that a key can be changed while the old one is still needed.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"dmconnector/internal/plaintext"
)

// KeySize is a key's length in bytes.
const KeySize = 32

// The errors of [Ring.Open]: the key is not on the ring; the sealed text has been changed
// or cut off, or belongs to another purpose.
var (
	ErrOtherKey = errors.New("it was sealed with another key")
	ErrBroken   = errors.New("what was sealed is damaged")
)

// A sealed text is a version, the key's fingerprint, the nonce, and what AES-GCM
// makes of the text.
const (
	version         = 1
	fingerprintSize = 4
	nonceSize       = 12
	headSize        = 1 + fingerprintSize
)

// A Ring seals and opens. It is safe for concurrent use.
type Ring struct{ keys []key }

type key struct {
	fingerprint [fingerprintSize]byte
	aead        cipher.AEAD
}

// NewRing returns a ring of keys of 32 bytes each. The first seals.
func NewRing(keys ...[]byte) (*Ring, error) {
	if len(keys) == 0 {
		return nil, errors.New("a ring needs a key")
	}
	r := &Ring{}
	for _, secret := range keys {
		if len(secret) != KeySize {
			return nil, fmt.Errorf("a key must have %d bytes, not %d", KeySize, len(secret))
		}
		block, err := aes.NewCipher(secret)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(append([]byte("dmconnector key "), secret...))
		r.keys = append(r.keys, key{[fingerprintSize]byte(sum[:]), aead})
	}
	return r, nil
}

// NewKey returns a fresh key.
func NewKey() []byte {
	secret := make([]byte, KeySize)
	rand.Read(secret) // never fails
	return secret
}

// ParseKeys reads keys as operators write them: base64, several separated by
// commas or white space, the one that seals first. Errors do not repeat them.
func ParseKeys(text string) ([][]byte, error) {
	data, err := plaintext.Decode([]byte(text))
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	for word := range strings.FieldsFuncSeq(string(data), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' }) {
		if _, err := plaintext.Secret(word); err != nil {
			return nil, fmt.Errorf("copy key %d again: %w", len(keys)+1, err)
		}
		secret, err := base64.StdEncoding.DecodeString(word)
		if err != nil || len(secret) != KeySize {
			return nil, fmt.Errorf("key %d is not the base64 of %d bytes; one comes from: openssl rand -base64 %d", len(keys)+1, KeySize, KeySize)
		}
		keys = append(keys, secret)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("there is no key; one comes from: openssl rand -base64 %d", KeySize)
	}
	return keys, nil
}

// FormatKeys is the inverse of [ParseKeys], a line each.
func FormatKeys(keys ...[]byte) string {
	var b strings.Builder
	for _, secret := range keys {
		b.WriteString(base64.StdEncoding.EncodeToString(secret) + "\n")
	}
	return b.String()
}

// Seal encrypts a text for a purpose, such as "connector/default": it can be
// opened for the same purpose only, so that no one can move it elsewhere.
func (r *Ring) Seal(purpose string, text []byte) []byte {
	k := r.keys[0]
	sealed := make([]byte, 0, headSize+nonceSize+len(text)+16)
	sealed = append(sealed, version)
	sealed = append(sealed, k.fingerprint[:]...)
	return k.aead.Seal(sealed, nil, text, []byte(purpose)) //nolint:gosec // no nonce is passed: it makes one each time
}

// Open returns what was sealed for the purpose. Errors are [ErrOtherKey] and
// [ErrBroken].
func (r *Ring) Open(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) < headSize || sealed[0] != version {
		return nil, ErrBroken
	}
	err := ErrOtherKey
	for _, k := range r.keys {
		if !bytes.Equal(k.fingerprint[:], sealed[1:headSize]) {
			continue
		}
		if text, err := k.aead.Open(nil, nil, sealed[headSize:], []byte(purpose)); err == nil {
			return text, nil
		}
		err = ErrBroken // unless another key has the same fingerprint
	}
	return nil, err
}

// Current reports whether the ring's first key sealed it.
func (r *Ring) Current(sealed []byte) bool {
	return len(sealed) >= headSize && sealed[0] == version && bytes.Equal(r.keys[0].fingerprint[:], sealed[1:headSize])
}
