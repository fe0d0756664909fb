package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// A banner tells a newcomer what runs where, and how to try it.
type banner struct {
	url, adminURL, sandboxURL, data string
	send, admin                     tokenSource
}

func (b banner) writeTo(w io.Writer) {
	fmt.Fprintf(w, "dmconnector listens on %s\n", b.url)
	if b.adminURL != b.url {
		fmt.Fprintf(w, "Admin API and metrics: %s\n", b.adminURL)
	}
	fmt.Fprintf(w, "Console: %s/\n", b.adminURL)
	if b.data == "" || isTerminal(w) {
		printToken(w, "send token: ", b.send)
		printToken(w, "admin token:", b.admin)
	}
	if b.sandboxURL == "" {
		return
	}
	fmt.Fprintf(w, "All mail stays in the sandbox. Its inbox: %s/inbox\n", b.sandboxURL)
	if b.data == "" || isTerminal(w) {
		token := b.send.values[0]
		if !b.send.made {
			token = "<your send token>"
		}
		fmt.Fprintf(w, "\nSend a code:\ncurl -sS -X POST %s/api/send -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '%s'\n",
			b.url, token, `{"to":"user@example.com","type":"SignIn","payload":{"code":"123456","locale":"en"}}`)
		fmt.Fprintf(w, "\nRead it:\ncurl -sS %s/inbox/user@example.com/latest\n\n", b.sandboxURL)
	}
}

// printToken shows a token that this start has created: nobody knows it yet.
func printToken(w io.Writer, label string, source tokenSource) {
	if source.made {
		fmt.Fprintf(w, "%s %s\n", label, strings.Join(source.values, ","))
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
