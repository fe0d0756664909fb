//go:build unix

package chaos_test

import (
	"context"
	"net"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
)

// A setup is a service with the sandbox as its upstream and a proxy in between.
type setup struct {
	sandbox *sandbox.Sandbox
	server  *httptest.Server
	proxy   *proxy
	service *service
}

// limitsOff disables all limits of a connector.
var limitsOff = map[string]any{"recipient": "off", "connector": "off"}

// newSandbox returns the sandbox, which accepts rate calls per second; 0: no limit.
func newSandbox(t *testing.T, rate int) (*sandbox.Sandbox, *httptest.Server) {
	t.Helper()
	if rate == 0 {
		rate = -1
	}
	box := sandbox.New(sandbox.Options{
		Accounts:      []sandbox.Account{{AccessKeyID: "LTAItest", AccessKeySecret: keySecret}},
		RatePerSecond: rate, MaxMails: 1 << 20,
	})
	server := httptest.NewServer(box)
	t.Cleanup(func() {
		box.Close()
		server.CloseClientConnections()
		server.Close()
	})
	return box, server
}

// connectorTo returns a connector's JSON. The code is the subject of its mails, by
// which they are counted.
func connectorTo(endpoint string, limits map[string]any) map[string]any {
	var templates []any
	for _, usageType := range []string{"Register", "SignIn", "ForgotPassword", "Generic"} {
		templates = append(templates, map[string]any{"usageType": usageType, "subject": "{{code}}", "content": "<p>{{code}}</p>"})
	}
	return map[string]any{
		"accessKeyId": "LTAItest", "accessKeySecret": keySecret, "accountName": "no-reply@mail.example.com",
		"templates": templates, "endpoint": endpoint, "limits": limits,
	}
}

// newSetup starts a setup.
func newSetup(t *testing.T, rate int, limits map[string]any) *setup {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	st := &setup{}
	st.sandbox, st.server = newSandbox(t, rate)
	st.proxy = newProxy(t, listener, st.server.Listener.Addr().String())
	st.service = startService(t, connectorTo("http://"+listener.Addr().String(), limits), nil)
	return st
}

// newUnreachableSetup starts a setup whose upstream refuses connections until listen
// is called.
func newUnreachableSetup(t *testing.T, limits map[string]any) (st *setup, listen func()) {
	t.Helper()
	socket, address := boundSocket(t)
	st = &setup{}
	st.sandbox, st.server = newSandbox(t, 0)
	st.service = startService(t, connectorTo("http://"+address, limits), nil)
	return st, func() {
		if err := syscall.Listen(int(socket.Fd()), 128); err != nil {
			t.Error(err)
		}
		listener, err := net.FileListener(socket)
		if err != nil {
			t.Error(err)
			return
		}
		socket.Close()
		st.proxy = newProxy(t, listener, st.server.Listener.Addr().String())
	}
}

// boundSocket returns a socket with a port that refuses connections.
func boundSocket(t *testing.T) (socket *os.File, address string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	socket = os.NewFile(uintptr(fd), "bound socket")
	t.Cleanup(func() { socket.Close() })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := name.(*syscall.SockaddrInet4).Port
	return socket, (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String()
}

// end stops the service and its upstream, and returns the accepted mails.
func (st *setup) end(t *testing.T) []sandbox.Mail {
	t.Helper()
	st.service.terminate(t)
	st.service.stopped(context.Background(), t)
	st.sandbox.Close()
	if st.proxy != nil {
		st.proxy.close()
	}
	st.server.CloseClientConnections()
	st.server.Close()
	return st.sandbox.Mails()
}

// A probe requests the service's health pages until it is stopped, and records the
// answers.
type probe struct {
	stop    context.CancelFunc
	done    chan struct{}
	answers string
}

func (st *setup) probe(t *testing.T) *probe {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &probe{stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			for _, path := range []string{"/healthz", "/readyz"} {
				outcome, answer := get(t, st.service.address, path)
				if outcome != "200" {
					t.Errorf("%s answers %s", path, outcome)
				}
				p.answers += answer
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return p
}

// end stops the probe and returns all answers.
func (p *probe) end() string {
	p.stop()
	<-p.done
	return p.answers
}
