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
	local, domain := s[:at], s[at+1:]
	if err := checkLocalPart(local); err != nil {
		return "", err
	}
	ascii, err := asciiDomain(domain)
	if err != nil {
		return "", err
	}
	if len(local)+1+len(ascii) > 254 {
		return "", errors.New("it is longer than 254 bytes")
	}
	return local + "@" + ascii, nil
}

func checkLocalPart(local string) error {
	if local == "" || local == "." {
		return errors.New("nothing is before the @")
	}
	if len(local) > 64 {
		return errors.New("the part before the @ is longer than 64 bytes")
	}
	for _, r := range local {
		if !isLocal(r) {
			return errors.New("the part before the @ has a character that an address cannot have")
		}
	}
	return nil
}

func isLocal(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
		strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r)
}

var errDomain = errors.New("the part behind the @ is not a domain name")

func asciiDomain(domain string) (string, error) {
	if len(domain) > 254 {
		return "", errDomain
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil || strings.HasSuffix(ascii, ".") || len(ascii) > 253 {
		return "", errDomain
	}
	// What idna makes of broken text is not always a name that it takes itself.
	if again, err := idna.Lookup.ToASCII(ascii); err != nil || again != ascii {
		return "", errDomain
	}
	dot := strings.LastIndexByte(ascii, '.')
	if dot < 0 {
		return "", errors.New("the domain behind the @ has no dot")
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if label == "" || len(label) > 63 {
			return "", errDomain
		}
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
