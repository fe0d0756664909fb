package registry

import (
	"crypto/rand"
	"strings"
)

const (
	maxID           = 128
	connectorIDSize = 12 // as Logto's
	templateIDSize  = 21 // likewise
)

// validID reports whether a connector may have the id: it is part of URLs and of
// file names, where a leading dot hides.
func validID(id string) bool {
	valid := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.", r)
	}
	return id != "" && len(id) <= maxID && id[0] != '.' && !strings.ContainsFunc(id, func(r rune) bool { return !valid(r) })
}

// newID returns an id of lower-case letters and digits that nobody has. The few
// letters that come up more often than others do not matter at these sizes.
func newID(size int) string {
	const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
	id := make([]byte, size)
	_, _ = rand.Read(id) // never fails
	for i, b := range id {
		id[i] = alphabet[int(b)%len(alphabet)]
	}
	return string(id)
}
