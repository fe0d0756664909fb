package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/delivery"
	"dmconnector/internal/httpapi"
)

// changing is a log of messages that changes while it is read.
type changing struct {
	remembered
	mu sync.Mutex
}

func (m *changing) Messages(ctx context.Context, f delivery.Filter) ([]delivery.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.remembered.Messages(ctx, f)
}

func (m *changing) set(err error, ids ...int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err, m.list = err, nil
	for _, id := range ids {
		m.list = append(m.list, sentMessage(id))
	}
}

func (m *changing) asked() delivery.Filter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.filter
}

// A stream is a request that is being answered, and what has come of the answer.
type stream struct {
	*httptest.ResponseRecorder
	mu     sync.Mutex
	all    []byte
	cancel context.CancelFunc
	ended  bool
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, p...)
	return s.ResponseRecorder.Write(p)
}

func follow(t *testing.T, api http.Handler, query string, headers ...string) *stream {
	t.Helper()
	s := &stream{ResponseRecorder: httptest.NewRecorder()}
	r := request(t, "GET /api/messages/events"+query, "", headers...)
	ctx, cancel := context.WithCancel(r.Context())
	s.cancel = cancel
	go func() {
		api.ServeHTTP(s, r.WithContext(ctx))
		checkConversation(t, conversation{r, nil, s.Code, s.Header(), s.all})
		s.ended = true
	}()
	synctest.Wait()
	return s
}

// next returns what has come, each event in short, after some time.
func (s *stream) next(wait time.Duration) string {
	<-time.After(wait)
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.Body.String()
	s.Body.Reset()
	return short(text)
}

func short(text string) string {
	for n := range 10 {
		text = strings.ReplaceAll(text, messageID(n), fmt.Sprint(n))
	}
	return text
}

const asAdmin = "Authorization: " + adminToken

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &changing{}
		m.set(nil, 2, 1)
		api := newFollowed(m, newSessions())
		s := follow(t, api, "?state=dead&type=SignIn&connector=mine&limit=1", asAdmin)
		want := ask(t, api, "GET /api/messages?state=dead&type=SignIn&connector=mine&limit=1", "", asAdmin).body
		<-time.After(time.Millisecond) // from here on it looks before we do
		if got := s.next(0); got != "event: messages\ndata: "+short(want)+"\n" {
			t.Errorf("at once: %q", got)
		}
		for name, value := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store", "Connection": "close"} {
			if got := s.Header().Get(name); got != value {
				t.Errorf("%s: %q", name, got)
			}
		}
		filter := delivery.Filter{States: []delivery.State{"dead"}, Type: "SignIn", Connector: "mine", Limit: 2}
		if diff := cmp.Diff(filter, m.asked()); diff != "" {
			t.Error(diff)
		}
		if got := s.next(10 * time.Second); got != "" {
			t.Errorf("nothing has changed: %q", got)
		}
		m.set(nil, 3)
		if got := s.next(time.Second); !strings.HasPrefix(got, "event: messages\ndata: {\"messages\":[{\"id\":\"3\"") || !strings.HasSuffix(got, "}]}\n\n") {
			t.Errorf("a message came: %q", got)
		}
		m.set(errors.New("disk full"))
		if got := s.next(2 * time.Second); got != "" {
			t.Errorf("without state: %q", got)
		}
		m.set(nil, 3)
		if got := s.next(2 * time.Second); got != ":\n\n" {
			t.Errorf("after 15 s: %q", got)
		}
		if got := s.next(60 * time.Second); got != ":\n\n:\n\n:\n\n:\n\n" {
			t.Errorf("a minute later: %q", got)
		}
		s.cancel()
	})
}

func TestEventsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := newSessions()
		api := newFollowed(&changing{}, list)
		ours, theirs := signIn(t, api, adminToken), signIn(t, api, adminToken)
		byToken, left, signedOut, stays := follow(t, api, "", asAdmin), follow(t, api, "", asAdmin), follow(t, api, "", ours), follow(t, api, "", theirs)
		ended := func(when string, want ...bool) {
			t.Helper()
			<-time.After(time.Second + time.Millisecond)
			synctest.Wait()
			if diff := cmp.Diff(want, []bool{byToken.ended, left.ended, signedOut.ended, stays.ended}); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", when, diff)
			}
		}
		ended("at first", false, false, false, false)
		left.cancel()
		ended("a caller has gone", false, true, false, false)
		ask(t, api, "DELETE /api/session", "", ours)
		ended("a session has ended", false, true, true, false)
		list.fail(errors.New("disk full"))
		ended("the state fails", false, true, true, false)
		list.fail(nil)
		api.Drain()
		synctest.Wait() // at once
		if !byToken.ended || !stays.ended {
			t.Error("a stream outlasts the program")
		}
		if got := ask(t, api, "GET /api/messages/events", "", asAdmin); got.status != 503 || got.code(t) != "unavailable" {
			t.Errorf("when the program stops: %d %s", got.status, got.body)
		}
	})
}

func TestEventsEndWithTheirToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFollowed(&changing{}, newSessions())
		tokens := []httpapi.Token{{ID: "1", Hash: hashOf("stored-admin-0123456789"), Scope: httpapi.ScopeAdmin}}
		api.SetTokens(tokens)
		streams := []*stream{follow(t, api, "", "Authorization: stored-admin-0123456789"), follow(t, api, "", signIn(t, api, "stored-admin-0123456789"))}
		api.SetTokens(nil)
		<-time.After(time.Second + time.Millisecond)
		synctest.Wait()
		for i, s := range streams {
			if !s.ended {
				t.Errorf("stream %d goes on", i)
			}
		}
	})
}

func TestEventsAreForSomeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFollowed(&changing{}, newSessions())
		var streams []*stream
		for range 64 {
			streams = append(streams, follow(t, api, "", asAdmin))
		}
		got := ask(t, api, "GET /api/messages/events", "", asAdmin)
		if got.status != 503 || got.code(t) != "overloaded" || got.header.Get("Retry-After") == "" {
			t.Errorf("%d %s", got.status, got.body)
		}
		streams[0].cancel()
		synctest.Wait()
		streams = append(streams, follow(t, api, "", asAdmin))
		for _, s := range streams {
			if s.Code != 200 {
				t.Error(s.Code)
			}
			s.cancel()
		}
	})
}

func TestEventsAreRefused(t *testing.T) {
	tests := map[string]struct {
		query, header string
		fault         error
		status        int
	}{
		"nobody":            {"", "", nil, 401},
		"a wrong filter":    {"?state=sold", asAdmin, nil, 400},
		"another page":      {"?before=" + messageID(1), asAdmin, nil, 400},
		"an address":        {"?to=user@example.com", asAdmin, nil, 400},
		"without the state": {"", asAdmin, errors.New("disk full"), 503},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := &changing{}
			m.set(tt.fault)
			got := ask(t, newFollowed(m, newSessions()), "GET /api/messages/events"+tt.query, "", tt.header)
			if got.status != tt.status || got.code(t) == "" || strings.Contains(got.body, "user@") {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

// serveOne serves one connection in memory, and returns its other end.
func serveOne(api http.Handler) (client net.Conn, connections *httpapi.Connections, stopAccepting func()) {
	connections = &httpapi.Connections{}
	server := &http.Server{Handler: api, ConnContext: connections.Context, ConnState: connections.State}
	client, conn := net.Pipe()
	listener := pipeListener{conns: make(chan net.Conn, 1)}
	listener.conns <- conn
	go server.Serve(connections.Listener(listener))
	return client, connections, func() { close(listener.conns) }
}

// A stop does not wait for a stream, nor for its connection to be used again.
func TestEventsHoldNoStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFollowed(&changing{}, newSessions())
		client, connections, stopAccepting := serveOne(api)
		fmt.Fprintf(client, "GET /api/messages/events HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", asAdmin)
		resp, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, resp.Body)
			read <- err
		}()
		<-time.After(20 * time.Second)
		stopped := time.Now()
		api.Drain()
		stopAccepting()
		if err := connections.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(stopped); took > time.Second {
			t.Errorf("the stop took %v", took)
		}
		if err := <-read; err != nil {
			t.Errorf("the stream broke off: %v", err)
		}
		client.Close()
	})
}

// A reader that does not read is given up.
func TestEventsAreNotForTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &changing{}
		client, connections, stopAccepting := serveOne(newFollowed(m, newSessions()))
		fmt.Fprintf(client, "GET /api/messages/events HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", asAdmin)
		if _, err := client.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		stopAccepting()
		if err := connections.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 32*time.Second {
			t.Errorf("it was waited for %v", took)
		}
		client.Close()
	})
}
