package connector

import (
	"errors"
	"strings"

	"golang.org/x/net/idna"
)

// ParseAddress checks that s is exactly one mail address, local@domain, and
// returns it with the domain in lower case and, where it is international, in
// punycode. Errors say what is wrong and do not repeat s.
//
// net/mail's grammar is too generous here: it takes display names, comments,
// quoted strings and groups, and Direct Mail's ToAddress takes lists. The local
// part may hold what RFC 5322 calls atoms, and dots anywhere: Japanese mobile
// carriers gave out addresses like "a..b." that no grammar allows but that
// Direct Mail's own rule does.
func ParseAddress(s string) (string, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return "", errors.New("it has no @")
	}
	local := s[:at]
	switch {
	case local == "" || local == ".":
		return "", errors.New("nothing is before the @")
	case len(local) > 64:
		return "", errors.New("the part before the @ is longer than 64 bytes")
	case strings.ContainsFunc(local, func(r rune) bool { return !strings.ContainsRune(localCharacters, r) }):
		return "", errors.New("the part before the @ has a character that an address cannot have")
	}
	domain, err := asciiDomain(s[at+1:])
	if err != nil {
		return "", err
	}
	if len(local)+1+len(domain) > 254 {
		return "", errors.New("it is longer than 254 bytes")
	}
	return local + "@" + domain, nil
}

const localCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+-/=?^_`{|}~"

var (
	errDomain = errors.New("the part behind the @ is not a domain name")
	// domains is idna.Lookup with the lengths of names checked.
	domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.VerifyDNSLength(true))
)

func asciiDomain(domain string) (string, error) {
	if len(domain) > 254 {
		return "", errDomain
	}
	ascii, err := domains.ToASCII(domain)
	if err != nil || strings.HasSuffix(ascii, ".") {
		return "", errDomain
	}
	// What idna makes of broken text is not always a name that it takes itself.
	if again, err := domains.ToASCII(ascii); err != nil || again != ascii {
		return "", errDomain
	}
	dot := strings.LastIndexByte(ascii, '.')
	if dot < 0 {
		return "", errors.New("the domain behind the @ has no dot")
	}
	// A last label of digits is an IP address, not a domain (RFC 3696, 2).
	if strings.Trim(ascii[dot+1:], "0123456789") == "" {
		return "", errDomain
	}
	return ascii, nil
}

// MaskAddress returns what may be shown of an address: its first letter, three
// stars however long the rest is, and the domain.
func MaskAddress(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "***"
	}
	for _, first := range address[:at] {
		return string(first) + "***" + address[at:]
	}
	return "***" + address[at:]
}
