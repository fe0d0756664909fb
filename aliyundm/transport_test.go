package aliyundm_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"dmconnector/aliyundm"
)

// dialing returns an HTTP client of ours that dials like that.
func dialing(dial func(context.Context) (net.Conn, error)) *http.Client {
	client := aliyundm.NewHTTPClient()
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dial(ctx)
	}
	return client
}

func dialError(err error) *http.Client {
	return dialing(func(context.Context) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	})
}

func TestUnreachable(t *testing.T) {
	tlsServer := httptest.NewUnstartedServer(http.NotFoundHandler())
	tlsServer.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // it says that we hung up
	tlsServer.StartTLS()
	t.Cleanup(tlsServer.Close)
	plainServer := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plainServer.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	proxied := aliyundm.NewHTTPClient()
	proxied.Transport.(*http.Transport).Proxy = http.ProxyURL(mustParse(t, closed.URL))
	trusting := tlsServer.Client()

	tests := map[string]struct {
		endpoint string
		http     *http.Client
		want     string
		is       error
	}{
		"nobody listens":      {closed.URL, nil, "connection refused", syscall.ECONNREFUSED},
		"no such name":        {"", dialError(&net.DNSError{Name: "dm.aliyuncs.com", Server: "192.0.2.53:53", IsNotFound: true}), "the endpoint's name could not be looked up", nil},
		"no route":            {"", dialError(syscall.EHOSTUNREACH), "no route to host", syscall.EHOSTUNREACH},
		"connect timeout":     {"", dialError(syscall.ETIMEDOUT), "there was no connection in time", context.DeadlineExceeded},
		"proxy is down":       {"https://dm.example.com", proxied, "connection refused", syscall.ECONNREFUSED},
		"unknown authority":   {tlsServer.URL, nil, "the endpoint's certificate is signed by an unknown authority", nil},
		"another host's name": {"https://localhost:" + mustParse(t, tlsServer.URL).Port(), trusting, "the endpoint's certificate is for another host", nil},
		"plain HTTP":          {"https://" + mustParse(t, plainServer.URL).Host, nil, "the endpoint does not speak TLS", nil},
		"fake transport": {"", &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		})}, "connection refused", syscall.ECONNREFUSED},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			client := mustClient(t, aliyundm.Options{Endpoint: tt.endpoint, HTTP: tt.http})
			receipt, err := client.SingleSendMail(t.Context(), testMail())
			e := mustFail(t, receipt, err)
			if e.Class != aliyundm.Retry || e.Code != "" || e.Status != 0 || e.Throttled() || e.Message != tt.want {
				t.Errorf("error = %#v, want a codeless retry: %s", e, tt.want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error is not %v", tt.is)
			}
			if hasAddress := strings.ContainsAny(err.Error(), "0123456789"); hasAddress {
				t.Errorf("error %q names an address", err)
			}
		})
	}
}

func TestDNSErrorIsPassedOnBare(t *testing.T) {
	client := mustClient(t, aliyundm.Options{HTTP: dialError(&net.DNSError{
		Err: "no such host", Name: "dm.aliyuncs.com", Server: "192.0.2.53:53", IsNotFound: true,
	})})
	_, err := client.SingleSendMail(t.Context(), testMail())
	dns, ok := errors.AsType[*net.DNSError](err)
	if !ok || !dns.IsNotFound || dns.Server != "" || dns.Name != "" {
		t.Errorf("cause = %#v, want a *net.DNSError without names", errors.Unwrap(err))
	}
}

// TestConnectionLost has what can happen once the call is written.
func TestConnectionLost(t *testing.T) {
	tests := map[string]struct {
		handler http.HandlerFunc
		status  int
		want    string
	}{
		"reset after the call": {func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			conn := hijack(w)
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}, 0, "connection reset by peer"},
		"closed after the call": {func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			hijack(w).Close()
		}, 0, "the connection failed or was closed"},
		"closed in the answer": {func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"EnvId":"6000`)
		}, 200, "the connection failed or was closed"},
		"no HTTP": {func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			conn := hijack(w)
			io.WriteString(conn, "220 mail.example.com ESMTP\r\n")
			conn.Close()
		}, 0, "the connection failed or was closed"},
		"endless answer": {func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, `{"EnvId":"1","RequestId":"2","Message":"`)
			for r.Context().Err() == nil {
				io.WriteString(w, strings.Repeat("x", 1<<10))
			}
		}, 200, "the answer is longer than 1 MiB"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			receipt, err := serve(t, tt.handler).SingleSendMail(t.Context(), testMail())
			e := mustFail(t, receipt, err)
			if e.Class != aliyundm.Unknown || e.Code != "" || e.Status != tt.status || e.Message != tt.want {
				t.Errorf("error = %#v, want an unknown outcome: %s", e, tt.want)
			}
		})
	}
}

// hijack takes over the connection. It panics, as the server expects of handlers.
func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	return conn
}

func TestCallerGivesUpAfterSending(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	client := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		cancel(errors.New("the browser left"))
		<-r.Context().Done()
	})
	receipt, err := client.SingleSendMail(ctx, testMail())
	e := mustFail(t, receipt, err)
	if e.Class != aliyundm.Unknown || e.Message != "the caller gave up" || !errors.Is(err, context.Canceled) {
		t.Errorf("error = %#v", e)
	}
}

// TestTransportWithoutTrace: nothing is known of what a foreign transport wrote.
func TestTransportWithoutTrace(t *testing.T) {
	client := mustClient(t, aliyundm.Options{HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	})}})
	receipt, err := client.SingleSendMail(t.Context(), testMail())
	if e := mustFail(t, receipt, err); e.Class != aliyundm.Unknown {
		t.Errorf("error = %#v, want an unknown outcome", e)
	}
}
