package aliyundm_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dmconnector/aliyundm"
)

// TestProxyDoesNotAnswer: the connection to it must not outlast the bound, though the
// caller would wait longer.
func TestProxyDoesNotAnswer(t *testing.T) {
	secure := httptest.NewUnstartedServer(nil)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("token"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		scheme, want string
		role         bool
	}{
		"HTTP":           {"http", "there was no connection in time", false},
		"HTTPS":          {"https", "there was no connection in time", false},
		"SOCKS":          {"socks5", "there was no connection in time", false},
		"for a role key": {"http", "no key for the role: STS did not answer: there was no connection in time", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { listener.Close() })
			closed := make(chan error, 1)
			go func() {
				peer, err := listener.Accept()
				if err != nil {
					closed <- err
					return
				}
				defer peer.Close()
				if tt.scheme == "https" {
					peer = tls.Server(peer, secure.TLS)
				}
				// CONNECT or SOCKS' greeting comes, and then no more.
				if n, _ := io.Copy(io.Discard, peer); n == 0 {
					err = errors.New("the proxy was not asked for anything")
				}
				closed <- err
			}()
			shared := aliyundm.NewHTTPClient()
			transport := shared.Transport.(*http.Transport)
			transport.Proxy = http.ProxyURL(mustParse(t, tt.scheme+"://"+listener.Addr().String()))
			transport.TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
			options := aliyundm.Options{Endpoint: "https://dm.example.com", HTTP: shared, Credentials: testKey}
			if tt.role {
				options.Credentials = aliyundm.Credentials{}
				options.OIDCRole = &aliyundm.OIDCRole{RoleARN: "role", ProviderARN: "provider", TokenFile: token}
			}
			client, err := aliyundm.NewClient(options)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err = client.SingleSendMail(ctx, testMail())
			if ctx.Err() != nil {
				t.Error("the caller's deadline ended the call")
			}
			if e := mustFail(t, nil, err); e.Class != aliyundm.Retry || e.Message != tt.want {
				t.Errorf("error = %#v, want a retry: %s", e, tt.want)
			}
			select {
			case err := <-closed:
				if err != nil {
					t.Error(err)
				}
			case <-ctx.Done():
				t.Error("the connection is still open")
			}
		})
	}
}

// TestAnswerMayTakeLonger than the steps before it, also through a proxy.
func TestAnswerMayTakeLonger(t *testing.T) {
	endpoint := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(2500 * time.Millisecond):
		case <-r.Context().Done():
		}
		io.WriteString(w, receiptJSON)
	}))
	t.Cleanup(endpoint.Close)
	proxy := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		caller, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer caller.Close()
		to, err := net.Dial("tcp", endpoint.Listener.Addr().String())
		if err != nil {
			panic(err)
		}
		defer to.Close()
		go io.Copy(to, bufio.NewReader(buffered))
		io.Copy(caller, to)
	}
	plain := httptest.NewServer(http.HandlerFunc(proxy))
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.HandlerFunc(proxy))
	t.Cleanup(secure.Close)
	for name, by := range map[string]string{"direct": "", "HTTP proxy": plain.URL, "HTTPS proxy": secure.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shared := aliyundm.NewHTTPClient()
			transport := shared.Transport.(*http.Transport)
			transport.TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
			if transport.Proxy = nil; by != "" {
				transport.Proxy = http.ProxyURL(mustParse(t, by))
			}
			client := mustClient(t, aliyundm.Options{Endpoint: endpoint.URL, HTTP: shared})
			if _, err := client.SingleSendMail(t.Context(), testMail()); err != nil {
				t.Error(err)
			}
		})
	}
}
