package connector_test

import (
	"net/mail"
	"strings"
	"testing"

	"dmconnector/connector"
)

func TestParseAddress(t *testing.T) {
	long := strings.Repeat("l", 64)
	tests := map[string]string{ // "" = refused
		"user@example.com":                     "user@example.com",
		"User.Name+tag-1_x@Mail.Example.COM":   "User.Name+tag-1_x@mail.example.com",
		"o'brien@example.com":                  "o'brien@example.com",
		"a..b.@docomo.example":                 "a..b.@docomo.example",
		"1@2.example":                          "1@2.example",
		"user@exämple.de":                      "user@xn--exmple-cua.de",
		"user@例子.中国":                           "user@xn--fsqu00a.xn--fiqs8s",
		"user@例子。中国":                           "user@xn--fsqu00a.xn--fiqs8s",
		long + "@example.com":                  long + "@example.com",
		long + "l@example.com":                 "",
		"":                                     "",
		"user":                                 "",
		"user@":                                "",
		"@example.com":                         "",
		".@example.com":                        "",
		"user@localhost":                       "",
		"user@.example.com":                    "",
		"user@example.com.":                    "",
		"user@example..com":                    "",
		"user@-example.com":                    "",
		"user@exa_mple.com":                    "",
		"user@127.0.0.1":                       "",
		"user@[127.0.0.1]":                     "",
		"a@b.example,c@d.example":              "",
		"a@b.example;c@d.example":              "",
		"a@b.example c@d.example":              "",
		"a@@b.example":                         "",
		`"Foo"<a@b.example>`:                   "",
		"Foo <a@b.example>":                    "",
		"<a@b.example>":                        "",
		"a@b.example>":                         "",
		"group:a@b.example;":                   "",
		`"a\"b"@example.com`:                   "",
		`"a,b@c.example"@d.example`:            "",
		"a(comment)@b.example":                 "",
		"jörg@example.de":                      "",
		" user@example.com":                    "",
		"user@example.com\n":                   "",
		"us\ter@example.com":                   "",
		"user@exam\u200bple.com\u200b,x@y.com": "",
		"us\u202eer@example.com":               "",
		"us\u00ader@example.com":               "",
		"user\x00@example.com":                 "",
		"user@example.com\x00":                 "",
		"ｕser@example.com":                     "",
		"user＠example.com":                     "",
		"user@" + strings.Repeat("a.", 124) + "example": "",
		"user@" + strings.Repeat("a", 64) + ".example":  "",
	}
	for in, want := range tests {
		got, err := connector.ParseAddress(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
		if err != nil && in != "" && len(in) > 3 && strings.Contains(err.Error(), in) {
			t.Errorf("%q: the error repeats it: %v", in, err)
		}
	}
}

// An accepted address is ASCII, has one @ and nothing that a list is made of,
// and net/mail reads the same single address in it.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"user@example.com", "a@b.example,c@d.example", "user@例子。中国", `"x"@y.example`, "a..b@c.example", "user@exam\u200dple.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := connector.ParseAddress(s)
		if err != nil {
			return
		}
		if len(got) > 254 || strings.Count(got, "@") != 1 || strings.ContainsAny(got, ",;:<>()[]\\\" \t\r\n") {
			t.Fatalf("%q became %q", s, got)
		}
		for _, r := range got {
			if r <= ' ' || r > '~' {
				t.Fatalf("%q became %q", s, got)
			}
		}
		local, _, _ := strings.Cut(got, "@")
		if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
			return // real addresses that no grammar knows
		}
		if parsed, err := mail.ParseAddress(got); err != nil || parsed.Address != got || parsed.Name != "" {
			t.Errorf("%q became %q, which net/mail reads as %v, %v", s, got, parsed, err)
		}
		if again, err := connector.ParseAddress(got); err != nil || again != got {
			t.Errorf("%q became %q, and that %q, %v", s, got, again, err)
		}
	})
}

func TestMaskAddress(t *testing.T) {
	for in, want := range map[string]string{
		"user@example.com": "u***@example.com",
		"u@example.com":    "u***@example.com",
		"@example.com":     "***@example.com",
		"no address":       "***",
		"":                 "***",
		"例子@example.com":   "例***@example.com",
	} {
		if got := connector.MaskAddress(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
