package aliyundm_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"dmconnector/aliyundm"
)

// listenNarrow listens with so small a buffer that a long call stays with its sender
// until it is read.
func listenNarrow(t *testing.T) net.Listener {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		controlErr := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
		})
		return errors.Join(err, controlErr)
	}}
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// TestNothingArrivesAfterGivingUp: a closed connection would normally go on sending
// what the kernel has of the mail.
func TestNothingArrivesAfterGivingUp(t *testing.T) {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	t.Cleanup(certificate.Close)
	for _, scheme := range []string{"http", "https"} {
		for name, length := range map[string]int{"while writing": 8 << 20, "after writing": 100 << 10} {
			t.Run(scheme+" "+name, func(t *testing.T) {
				listener := listenNarrow(t)
				accepted := make(chan net.Conn, 1)
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					raw, err := listener.Accept()
					if err != nil {
						return
					}
					defer func() { accepted <- raw }()
					peer := raw
					if scheme == "https" {
						peer = tls.Server(raw, certificate.TLS)
					}
					if _, err := peer.Read(make([]byte, 100)); err != nil {
						t.Error(err)
					}
				}()
				shared := aliyundm.NewHTTPClient()
				shared.Transport.(*http.Transport).TLSClientConfig = certificate.Client().Transport.(*http.Transport).TLSClientConfig
				client := mustClient(t, aliyundm.Options{Endpoint: scheme + "://" + listener.Addr().String(), HTTP: shared})
				mail := testMail()
				mail.TextBody = strings.Repeat("x", length)
				failed := make(chan error, 1)
				go func() {
					_, err := client.SingleSendMail(ctx, mail)
					failed <- err
				}()
				peer := <-accepted
				defer peer.Close()
				cancel()
				if e := mustFail(t, nil, <-failed); e.Class != aliyundm.Unknown {
					t.Errorf("error = %#v, want an unknown outcome", e)
				}
				n, err := io.Copy(io.Discard, peer)
				if !errors.Is(err, syscall.ECONNRESET) || n >= int64(length) {
					t.Errorf("%d bytes of %d came after giving up, then %v; want a reset", n, length, err)
				}
			})
		}
	}
}

// TestClosingDoesNotWait: TLS gives its last alert 5 s, in which the kernel would go on
// sending to a peer that reads slowly.
func TestClosingDoesNotWait(t *testing.T) {
	listener := listenNarrow(t)
	c, err := aliyundm.NewHTTPClient().Transport.(*http.Transport).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Write(func(fd uintptr) bool { // until the kernel takes no more
		for {
			if _, err := syscall.Write(int(fd), make([]byte, 64<<10)); err != nil {
				return true
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil { // as TLS does
		t.Fatal(err)
	}
	peer, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	go io.Copy(io.Discard, peer) // whoever waits can write after all
	if _, err := c.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the last write: %v, want it not to wait", err)
	}
}
