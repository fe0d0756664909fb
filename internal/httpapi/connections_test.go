package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/httpapi"
)

// pipeListener accepts the one connection it was made with, in memory, so that
// time can be a fake one.
type pipeListener struct {
	conns chan net.Conn
	net.Listener
}

func (l pipeListener) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (pipeListener) Close() error   { return nil }
func (pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// timing is a provider that notes how much time it is given.
type timing struct{ given []time.Duration }

func (s *timing) SingleSendMail(ctx context.Context, _ *aliyundm.Mail) (*aliyundm.Receipt, error) {
	deadline, _ := ctx.Deadline()
	s.given = append(s.given, time.Until(deadline))
	return &aliyundm.Receipt{EnvID: "600"}, nil
}

// The time counts from a request's first byte, however slowly its header comes,
// also for the second request of a connection.
func TestTimeCountsFromTheFirstByte(t *testing.T) {
	cfg := parse(t, connectorJSON(t))
	synctest.Test(t, func(t *testing.T) {
		sender := &timing{}
		target := delivery.Connector{ID: "default", Composer: connector.New(cfg), Sender: sender}
		api := httpapi.New(httpapi.Options{
			Delivery: newDelivery(discard, target), SendTokens: []string{recordedToken}, Log: discard,
		})
		var connections httpapi.Connections
		server := &http.Server{Handler: api, ConnContext: connections.Context, ConnState: connections.State}
		client, conn := net.Pipe()
		listener := pipeListener{conns: make(chan net.Conn, 1)}
		listener.conns <- conn
		go server.Serve(connections.Listener(listener))
		answers := bufio.NewReader(client)
		for range 2 {
			const body = `{"to":"user@example.com","type":"SignIn"}`
			fmt.Fprint(client, "POST /api/send HTTP/1.1\r\n")
			<-time.After(1500 * time.Millisecond) // the header takes its time
			fmt.Fprintf(client, "Host: x\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n%s", recordedToken, len(body), body)
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("status %d, %v", resp.StatusCode, err)
			}
			<-time.After(time.Minute) // idle time does not count
		}
		client.Close()
		close(listener.conns)
		if err := connections.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		for _, given := range sender.given {
			if given != 6*time.Second {
				t.Errorf("the provider was given %v", sender.given)
			}
		}
	})
}

// A server that stops begins no send that could outlast it.
func TestLateRequestsOfAStoppingServerAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := httpapi.New(httpapi.Options{Delivery: newDelivery(discard), SendTokens: []string{recordedToken}, Log: discard})
		code := func() string {
			return ask(t, api, "POST /api/send", `{"to":"user@example.com","type":"SignIn"}`, "Authorization: "+recordedToken).code(t)
		}
		api.Drain()
		if got := code(); got != "connector_not_found" {
			t.Errorf("at once: %s", got)
		}
		<-time.After(5 * time.Second)
		if got := code(); got != "unavailable" {
			t.Errorf("after 5 s: %s", got)
		}
	})
}

// A server that stops waits for an idle connection as long as its caller may use it
// again, and no longer: a successor may be waiting for the state.
func TestIdleConnectionsHoldAStopOnlyWhileTheyMayBeUsed(t *testing.T) {
	for _, c := range []struct {
		name         string
		idle, waited time.Duration
		used, next   bool // a request came before, and comes while the server waits
	}{
		{"used lately", time.Second, 5 * time.Second, true, false},
		{"idle for long", time.Minute, 0, true, false},
		{"used again", 3 * time.Second, 10 * time.Second, true, true},
		{"never used", time.Second, time.Second, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := httpapi.New(httpapi.Options{Delivery: newDelivery(discard), Log: discard})
				var connections httpapi.Connections
				server := &http.Server{Handler: api, ConnContext: connections.Context, ConnState: connections.State}
				client, conn := net.Pipe()
				listener := pipeListener{conns: make(chan net.Conn, 1)}
				listener.conns <- conn
				go server.Serve(connections.Listener(listener))
				answers := bufio.NewReader(client)
				request := func(host string) {
					fmt.Fprintf(client, "GET /healthz HTTP/1.1\r\nHost: ")
					<-time.After(2 * time.Second) // the header takes its time
					fmt.Fprintf(client, "%s\r\n\r\n", host)
					resp, err := http.ReadResponse(answers, nil)
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := io.Copy(io.Discard, resp.Body); err != nil {
						t.Error(err)
					}
				}
				if c.used {
					request("first")
				}
				<-time.After(c.idle)
				close(listener.conns)
				stopped := time.Now()
				if c.next {
					// Its first byte comes in time, its last one too late.
					go func() { <-time.After(2 * time.Second); request("next") }()
				}
				if err := connections.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				if waited := time.Since(stopped); waited < c.waited || waited > c.waited+100*time.Millisecond {
					t.Errorf("it waited %v, want %v", waited, c.waited)
				}
				client.Close()
			})
		})
	}
}
