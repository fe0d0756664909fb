//go:build linux

package httpapi_test

import (
	"io"
	"net"
	"testing"
	"time"

	"dmconnector/internal/httpapi"
)

// The kernel knows how long a connection has waited before it was accepted, and what
// nobody has read yet.
func TestSilenceCountsFromTheConnect(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, other := dial(t, listener.Addr().String()), dial(t, listener.Addr().String())
	waitUntil(t, "the first connection waits for 100 ms", func() bool {
		silent, _ := httpapi.Silence(client)
		return silent > 100*time.Millisecond
	})
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if silent, unread := httpapi.Silence(accepted); silent < 100*time.Millisecond || unread {
		t.Errorf("silent for %v, unread: %v", silent, unread)
	}
	if _, err := io.WriteString(client, "x"); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "there is something unread", func() bool {
		_, unread := httpapi.Silence(accepted)
		return unread
	})
	if _, err := accepted.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, unread := httpapi.Silence(accepted); unread {
		t.Error("what was read is unread")
	}
	if silent, unread := httpapi.Silence(struct{ net.Conn }{other}); silent != 0 || unread {
		t.Error("another kind of connection tells something")
	}
}

func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick, end := time.NewTicker(time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("in vain until " + what)
		}
	}
}
