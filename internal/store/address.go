package store

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// A Kind is a kind of state.
type Kind string

// The kinds.
const (
	Memory   Kind = "memory"
	SQLite   Kind = "sqlite"
	Postgres Kind = "postgres"
)

// An Address is where a state is.
type Address struct {
	Kind     Kind
	Path     string // of SQLite's file
	postgres string
}

var (
	errAddress = errors.New("the address of the state must be sqlite:<path>, postgres://user:password@host:port/database or memory; write sqlite: before the path of a file")
	errEncode  = errors.New("cannot read the address of the state: percent-encode the user and the password in it (@ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25, a blank as %20), and use numbers for ports; it must be postgres://user:password@host:port/database?options")
)

// ParseAddress reads an address of a state, such as --state. Its errors show nothing of
// what may be a password.
func ParseAddress(text string) (Address, error) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(text), ":")
	scheme = strings.ToLower(scheme)
	switch {
	case scheme == string(Memory) && rest == "":
		return Address{Kind: Memory}, nil
	case scheme == string(SQLite):
		path, err := sqlitePath(rest)
		return Address{Kind: SQLite, Path: path}, err
	case (scheme == string(Postgres) || scheme == "postgresql") && strings.HasPrefix(rest, "//"):
		return Address{Kind: Postgres, postgres: scheme + ":" + rest}, checkPostgres(rest[len("//"):])
	}
	return Address{}, errAddress
}

// options matches those that drivers of SQLite understand after a path.
var options = regexp.MustCompile(`\?(mode|cache|vfs|immutable|nolock|_\w+)=`)

// sqlitePath returns the path that follows "sqlite:", which may have the two slashes of
// a URL in front.
func sqlitePath(text string) (string, error) {
	path := strings.TrimPrefix(strings.TrimSpace(text), "//")
	switch {
	case path == "":
		return "", errors.New("sqlite: needs the path of a file, such as sqlite:data/state.db")
	case path == ":memory:":
		return "", errors.New("write memory, without sqlite:, for a state in memory")
	case strings.HasPrefix(path, "file:"):
		return "", errors.New("write the path of the state without file: in front")
	case strings.Contains(path, "://"):
		// It would become folders named after the user and the password.
		return "", errors.New("sqlite: takes the path of a file: remove sqlite: in front of a URL")
	case options.MatchString(path):
		return "", errors.New("sqlite: takes a path without options: remove the question mark and what follows")
	}
	if path[0] == '$' {
		return "", errors.New("write the path of the state in full: environment variables in it are not replaced")
	}
	if path == "~" || strings.HasPrefix(path, "~/") {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("write the home folder in full, instead of ~: %w", err)
		}
		path = home + path[1:]
	} else if path[0] == '~' && strings.Contains(path, "/") {
		return "", errors.New("write the home folder in full: only ~/ is understood in the path of the state")
	}
	info, err := os.Stat(path)
	if strings.HasSuffix(path, "/") || err == nil && info.IsDir() {
		return "", fmt.Errorf("%s is a folder: add the name of a file, such as sqlite:%s", path, filepath.Join(path, "state.db"))
	}
	return filepath.Clean(path), nil
}

// checkPostgres refuses what may be a password with reserved characters in it, before
// the driver takes a piece of it for a host, looks that up and shows it.
func checkPostgres(rest string) error {
	authority, after := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, after = rest[:i], rest[i:]
	}
	path, query, _ := strings.Cut(after, "?")
	user, hosts, hasUser := strings.Cut(authority, "@")
	if !hasUser {
		user, hosts = "", authority
	}
	unreadable := func(r rune) bool { return r == '#' || unicode.IsSpace(r) || !unicode.IsPrint(r) }
	if strings.Contains(hosts+after, "@") || strings.ContainsFunc(rest, unreadable) {
		return errEncode
	}
	for _, part := range []string{user, hosts, path} {
		if _, err := url.PathUnescape(part); err != nil {
			return errEncode
		}
	}
	if _, err := url.ParseQuery(query); err != nil {
		return errEncode
	}
	for host := range strings.SplitSeq(hosts, ",") {
		_, port, hasPort := strings.Cut(host[strings.LastIndexByte(host, ']')+1:], ":")
		if hasPort && (port == "" || strings.Trim(port, "0123456789") != "") {
			return errEncode
		}
	}
	return nil
}
