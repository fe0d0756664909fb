package aliyundm_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dmconnector/aliyundm"
)

// pipes is a network in memory, so that time can be a fake one.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p pipes) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-ctx.Done(): // nobody accepts
		return nil, ctx.Err()
	}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.done); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func newPipes() pipes { return pipes{make(chan net.Conn), make(chan struct{})} }

// servePipes returns a client of a server in memory.
func servePipes(t *testing.T, handler http.HandlerFunc) *aliyundm.Client {
	t.Helper()
	network := newPipes()
	server := &http.Server{Handler: handler}
	go server.Serve(network)
	t.Cleanup(func() { server.Shutdown(context.Background()) }) // waits for the handlers
	return mustClient(t, aliyundm.Options{Endpoint: "http://127.0.0.1", HTTP: dialing(network.dial)})
}

func TestNoAnswerInTime(t *testing.T) {
	tests := map[string]struct {
		handler http.HandlerFunc
		status  int
	}{
		"hang before the header": {func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, 0},
		"hang in the answer": {func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, `{"EnvId":"6000`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, 200},
		"dribble": {func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			for r.Context().Err() == nil {
				io.WriteString(w, " ")
				w.(http.Flusher).Flush()
				<-time.After(100 * time.Millisecond)
			}
		}, 200},
		"hang in the call": {func(_ http.ResponseWriter, r *http.Request) {
			io.ReadFull(r.Body, make([]byte, 1000))
			<-time.After(time.Minute)
		}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := servePipes(t, tt.handler)
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				mail := testMail()
				mail.TextBody = strings.Repeat("x", 1<<20)
				start := time.Now()
				receipt, err := client.SingleSendMail(ctx, mail)
				e := mustFail(t, receipt, err)
				if e.Class != aliyundm.Unknown || e.Status != tt.status || e.Message != "there was no answer in time" {
					t.Errorf("error = %#v, want an unknown outcome", e)
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error("error is not context.DeadlineExceeded")
				}
				if took := time.Since(start); took != 3*time.Second {
					t.Errorf("took %s, want 3s", took)
				}
			})
		})
	}
}

// TestCallHasAnEnd: without a deadline of the caller's, one of ours.
func TestCallHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := servePipes(t, func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		})
		start := time.Now()
		receipt, err := client.SingleSendMail(t.Context(), testMail())
		e := mustFail(t, receipt, err)
		if e.Class != aliyundm.Unknown || e.Message != "there was no answer in time" || time.Since(start) != 30*time.Second {
			t.Errorf("error = %#v after %s", e, time.Since(start))
		}
	})
}

func TestNoConnectionInTime(t *testing.T) {
	tests := map[string]struct {
		accept bool // and then say nothing
		want   time.Duration
	}{
		"nobody accepts":   {false, 3 * time.Second},
		"no TLS handshake": {true, 2 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := newPipes()
				t.Cleanup(func() { network.Close() })
				if tt.accept {
					go func() {
						if conn, err := network.Accept(); err == nil {
							io.Copy(io.Discard, conn)
						}
					}()
				}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				start := time.Now()
				receipt, err := mustClient(t, aliyundm.Options{HTTP: dialing(network.dial)}).SingleSendMail(ctx, testMail())
				e := mustFail(t, receipt, err)
				if e.Class != aliyundm.Retry || e.Message != "there was no connection in time" {
					t.Errorf("error = %#v, want a retry", e)
				}
				if took := time.Since(start); took != tt.want {
					t.Errorf("took %s, want %s", took, tt.want)
				}
			})
		})
	}
}

func TestContextEndedBeforeTheCall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	receipt, err := mustClient(t, aliyundm.Options{}).SingleSendMail(ctx, testMail())
	e := mustFail(t, receipt, err)
	if e.Class != aliyundm.Retry || e.Message != "the caller gave up" || !errors.Is(err, context.Canceled) {
		t.Errorf("error = %#v, want a retry", e)
	}
}

// TestLostWhileWriting closes the connection after the first part of a long call.
func TestLostWhileWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := servePipes(t, func(w http.ResponseWriter, r *http.Request) {
			io.ReadFull(r.Body, make([]byte, 1000))
			hijack(w).Close()
		})
		mail := testMail()
		mail.TextBody = strings.Repeat("x", 1<<20)
		receipt, err := client.SingleSendMail(t.Context(), mail)
		if e := mustFail(t, receipt, err); e.Class != aliyundm.Unknown {
			t.Errorf("error = %#v, want an unknown outcome", e)
		}
	})
}
