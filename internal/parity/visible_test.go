package parity_test

import (
	"testing"

	"dmconnector/internal/parity"
)

func TestVisible(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"blocks and spaces":  {"<div> <p>a\n  b</p>c<br>d </div>", "a b\nc\nd"},
		"entities":           {"<p>Acme &amp; S&ouml;hne &lt;GmbH&gt;</p>", "Acme & Söhne <GmbH>"},
		"raw values":         {"<p>Acme & Söhne <GmbH></p>", "Acme & Söhne"},
		"links":              {`<a href="https://a.example/?x=1&amp;y=2">join</a>`, "join <https://a.example/?x=1&y=2>"},
		"images":             {`<img src="l.png" alt="Logo">`, "[Logo: l.png]"},
		"what is not shown":  {"<head><title>t</title><style>p{}</style></head><body><!-- c --><script>s()</script>x</body>", "x"},
		"cells":              {"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"},
		"as it is written":   {"<pre>a\n  b</pre>", "a\n  b"},
		"inline":             {"a<b>b</b> <i>c</i>", "ab c"},
		"plain text as HTML": {"Hello\n\nworld", "Hello world"},
		"nothing":            {"", ""},
	}
	for name, tt := range tests {
		if got := parity.Visible(tt.body); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
