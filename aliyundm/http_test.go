package aliyundm_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dmconnector/aliyundm"
)

func TestConnectionIsReused(t *testing.T) {
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("protocol = %s, want HTTP/1.1", r.Proto)
		}
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, receiptJSON)
	}))
	server.EnableHTTP2 = true
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	shared := aliyundm.NewHTTPClient()
	shared.Transport.(*http.Transport).TLSClientConfig = &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
	}
	for i := range 2 { // two clients on one pool of connections
		key := aliyundm.Credentials{AccessKeyID: fmt.Sprint("key", i), AccessKeySecret: "testsecret"}
		client := mustClient(t, aliyundm.Options{Endpoint: server.URL, Credentials: key, HTTP: shared})
		for range 50 {
			if _, err := client.SingleSendMail(t.Context(), testMail()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := opened.Load(); got != 1 {
		t.Errorf("%d connections for 100 sends, want 1", got)
	}
}

func TestRedirectIsAnAnswer(t *testing.T) {
	tests := map[int]aliyundm.Class{
		301: aliyundm.Operator, 302: aliyundm.Unknown, 303: aliyundm.Unknown,
		307: aliyundm.Operator, 308: aliyundm.Operator,
	}
	for status, want := range tests {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			var calls atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				http.Redirect(w, r, "/elsewhere", status)
			}))
			t.Cleanup(server.Close)
			// The caller's own client would follow it.
			client := mustClient(t, aliyundm.Options{Endpoint: server.URL, HTTP: &http.Client{Transport: &http.Transport{}}})
			receipt, err := client.SingleSendMail(t.Context(), testMail())
			if e := mustFail(t, receipt, err); e.Class != want || e.Status != status || calls.Load() != 1 {
				t.Errorf("error = %#v after %d calls, want class %s after one", e, calls.Load(), want)
			}
		})
	}
}

func TestNewHTTPClientHoldsManyConnections(t *testing.T) {
	transport := aliyundm.NewHTTPClient().Transport.(*http.Transport)
	if n := transport.MaxIdleConnsPerHost; n < 100 || transport.MaxIdleConns != 0 && transport.MaxIdleConns < n {
		t.Errorf("keeps %d connections a host, %d in all", n, transport.MaxIdleConns)
	}
	if transport.IdleConnTimeout <= 0 || transport.IdleConnTimeout >= 15*time.Second {
		t.Errorf("keeps idle connections for %s; load balancers close them after 15 s", transport.IdleConnTimeout)
	}
	if transport.TLSHandshakeTimeout <= 0 || transport.TLSHandshakeTimeout > 2*time.Second {
		t.Errorf("TLS may take %s", transport.TLSHandshakeTimeout)
	}
}

func TestBodyIsClosed(t *testing.T) {
	for name, body := range map[string]io.Reader{
		"receipt": strings.NewReader(receiptJSON),
		"endless": zeros{},
	} {
		t.Run(name, func(t *testing.T) {
			answer := &closing{Reader: body}
			client := mustClient(t, aliyundm.Options{HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Body: answer}, nil
			})}})
			if _, err := client.SingleSendMail(t.Context(), testMail()); (err == nil) != (name == "receipt") {
				t.Errorf("error = %v", err)
			}
			if !answer.closed {
				t.Error("the body was not closed")
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

type closing struct {
	io.Reader

	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}
