//go:build linux

package chaos_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dmconnector/aliyundm/sandbox"
)

// The wire's two ends. Its networks are its own, so all wires have the same addresses.
var (
	nearEnd = net.IPv4(198, 18, 0, 2) // the service's
	farEnd  = net.IPv4(198, 18, 0, 1) // that of Direct Mail and PostgreSQL
)

// A wire carries IP packets between two network namespaces, in one of which the service
// runs. It can drop them, of which TCP learns nothing.
type wire struct {
	near, far    *namespace
	toFar, toOur atomic.Pointer[func(port uint16) bool] // whether packets are dropped, by the port at the far end
}

// A namespace is a network namespace. Its thread ends with the test.
type namespace struct{ calls chan func() }

// do calls the function in the namespace. What that starts or opens stays there.
func (n *namespace) do(call func()) {
	done := make(chan struct{})
	n.calls <- func() { defer close(done); call() }
	<-done
}

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	n, failed := &namespace{calls: make(chan func())}, make(chan error)
	go func() {
		runtime.LockOSThread() // it is not unlocked: then the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		failed <- err
		if err != nil {
			return
		}
		for call := range n.calls {
			call()
		}
	}()
	if err := <-failed; err != nil {
		if os.Getenv("DMCONNECTOR_TEST_ALL") != "" {
			t.Fatalf("make a network namespace: %v", err)
		}
		t.Skipf("SKIPPED, as network namespaces need root: %v", err)
	}
	t.Cleanup(func() { close(n.calls) })
	return n
}

func newWire(t *testing.T) *wire {
	t.Helper()
	w := &wire{near: newNamespace(t), far: newNamespace(t)}
	w.restore()
	near, far := w.near.device(t, nearEnd), w.far.device(t, farEnd)
	go forward(far, near, 22, &w.toFar)
	go forward(near, far, 20, &w.toOur)
	return w
}

// drop drops the packets to, and those from, a port at the far end; 0: any.
func (w *wire) drop(port int, requests, answers bool) {
	is := func(p uint16) bool { return port == 0 || int(p) == port }
	never := func(uint16) bool { return false }
	to, from := &is, &is
	if !requests {
		to = &never
	}
	if !answers {
		from = &never
	}
	w.toFar.Store(to)
	w.toOur.Store(from)
}

// restore lets all packets through.
func (w *wire) restore() { w.drop(0, false, false) }

// forward copies packets until a device is closed. A TCP packet has its port at the far
// end at that offset.
func forward(to, from *os.File, offset int, dropped *atomic.Pointer[func(uint16) bool]) {
	packet := make([]byte, 1<<16)
	for {
		n, err := from.Read(packet)
		if err != nil {
			return
		}
		isTCP := n >= 40 && packet[0] == 0x45 && packet[9] == unix.IPPROTO_TCP
		if isTCP && (*dropped.Load())(binary.BigEndian.Uint16(packet[offset:])) {
			continue
		}
		_, _ = to.Write(packet[:n]) // a full queue drops it, as in any network
	}
}

// device adds a TUN device with that address to the namespace. It goes when it is closed.
func (n *namespace) device(t *testing.T, ip net.IP) *os.File {
	t.Helper()
	var (
		file *os.File
		err  error
	)
	n.do(func() { file, err = openDevice(ip) })
	if err != nil {
		t.Fatalf("make a TUN device: %v", err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func openDevice(ip net.IP) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	file, err := func() (*os.File, error) {
		device, err := unix.NewIfreq("wire")
		if err != nil {
			return nil, err
		}
		device.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, device); err != nil {
			return nil, fmt.Errorf("TUNSETIFF: %w", err)
		}
		socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		defer unix.Close(socket)
		if err := device.SetInet4Addr(ip.To4()); err != nil {
			return nil, err
		}
		if err := unix.IoctlIfreq(socket, unix.SIOCSIFADDR, device); err != nil {
			return nil, fmt.Errorf("SIOCSIFADDR: %w", err)
		}
		if err := device.SetInet4Addr([]byte{255, 255, 255, 0}); err != nil {
			return nil, err
		}
		if err := unix.IoctlIfreq(socket, unix.SIOCSIFNETMASK, device); err != nil {
			return nil, fmt.Errorf("SIOCSIFNETMASK: %w", err)
		}
		device.SetUint16(unix.IFF_UP)
		if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, device); err != nil {
			return nil, fmt.Errorf("SIOCSIFFLAGS: %w", err)
		}
		return os.NewFile(uintptr(fd), "wire"), nil
	}()
	if err != nil {
		unix.Close(fd)
	}
	return file, err
}

// listen listens at the far end.
func (w *wire) listen(t *testing.T) net.Listener {
	t.Helper()
	var (
		listener net.Listener
		err      error
	)
	w.far.do(func() { listener, err = net.Listen("tcp4", net.JoinHostPort(farEnd.String(), "0")) })
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func portOf(listener net.Listener) int { return listener.Addr().(*net.TCPAddr).Port }

// serve serves HTTPS at the far end, as plain HTTP is for loopback only. It returns its
// URL and its certificate's file.
func (w *wire) serve(t *testing.T, handler http.Handler) (server *httptest.Server, certificate string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{farEnd}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate = filepath.Join(t.TempDir(), "certificate.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(certificate, text, 0o600); err != nil {
		t.Fatal(err)
	}
	server = httptest.NewUnstartedServer(handler)
	server.Listener.Close()
	server.Listener = w.listen(t)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server, certificate
}

// newReplica starts a service at the near end. Its callers reach it without the wire.
func (w *wire) newReplica(t *testing.T, handler http.Handler, env ...string) (r *replica, upstreamPort int) {
	t.Helper()
	server, certificate := w.serve(t, handler)
	args := []string{"--connectors", writeConnector(t, connectorTo(server.URL, limitsOff)), "--allow-endpoint", farEnd.String()}
	r = newReplicaAs(t, launch{program: program(), args: args, env: append(env, "SSL_CERT_FILE="+certificate), inside: w.near.do})
	return r, portOf(server.Listener)
}

// runWire runs the scenarios in which packets are dropped.
func runWire(t *testing.T, all *results) {
	t.Helper()
	outages := []time.Duration{3 * time.Second, 8 * time.Second, 20 * time.Second}
	if *long {
		outages = append(outages, 46*time.Second)
	}
	for _, outage := range outages {
		for _, n := range []int{10, 200} {
			name := fmt.Sprintf("packets to Aliyun dropped for %v, %d sends", outage, n)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				row := dropsRequests(t, outage, n)
				row.name = name
				all.add(row)
			})
		}
	}
	t.Run("packets from Aliyun dropped for 9s", func(t *testing.T) {
		t.Parallel()
		row := dropsAnswers(t)
		row.name = "packets from Aliyun dropped for 9s"
		all.add(row)
	})
	for name, requests := range map[string]bool{
		"PostgreSQL: packets dropped for a while": true, "PostgreSQL: packets of its answers dropped for a while": false,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := dropsPostgres(t, requests)
			row.name = name
			all.addState(row)
		})
	}
}

// retransmission returns when the kernel sends the first time after an outage what was
// sent at its begin: it doubles its time-out, which is 0.2 s at first.
func retransmission(outage time.Duration) time.Duration {
	after, timeout := 200*ms, 200*ms
	for after <= outage {
		timeout *= 2
		after += timeout
	}
	return after + 2*time.Second // for time-outs that are longer
}

// dropsRequests drops packets to Aliyun while sends begin, half of them over new
// connections. Newer codes for the same recipients follow.
func dropsRequests(t *testing.T, outage time.Duration, n int) tally {
	box, _ := newSandbox(t, 0)
	w := newWire(t)
	r, port := w.newReplica(t, box)
	before := newRequests(n / 2)
	fire(r.address, before, len(before), (*request).whole)

	dropped := time.Now()
	w.drop(port, true, false)
	during, answered := newRequests(n), make(chan struct{})
	go func() {
		defer close(answered)
		fire(r.address, during, n, (*request).whole)
	}()
	pause(outage)
	w.restore()
	<-answered
	newer := newRequests(n)
	for i, request := range newer {
		request.to = during[i].to
	}
	fire(r.address, newer, min(n, 50), (*request).whole)
	for _, request := range newer {
		if request.outcome != sent {
			t.Errorf("a newer code was answered %s, %v", request.outcome, request.err)
		}
	}
	pause(retransmission(outage) - time.Since(dropped))
	r.stop(t)
	mails := box.Mails()
	latest := map[string]sandbox.Mail{}
	for _, mail := range mails {
		if mail.ReceivedAt.After(latest[mail.To].ReceivedAt) {
			latest[mail.To] = mail
		}
	}
	older := 0
	for _, request := range newer {
		if latest[request.to].Subject != request.code {
			older++
		}
	}
	if older > 0 {
		t.Errorf("the newest mails of %d recipients have older codes", older)
	}
	requests := append(append(before, during...), newer...)
	result := count(t, "Network", "", requests, mails, r.logs()...)
	result.allow(t, sent, unknown, gone, overloaded)
	if outage > answerTime {
		result.demand(t, unknown)
	}
	return result
}

// dropsAnswers drops packets from Aliyun.
func dropsAnswers(t *testing.T) tally {
	box, _ := newSandbox(t, 0)
	w := newWire(t)
	r, port := w.newReplica(t, box)
	requests := newRequests(60)
	fire(r.address, requests, len(requests), (*request).whole)
	w.drop(port, false, true)
	restored := time.AfterFunc(9*time.Second, w.restore)
	defer restored.Stop()
	during := newRequests(60)
	fire(r.address, during, len(during), (*request).whole)
	pause(retransmission(9*time.Second) - 8*time.Second)
	r.stop(t)
	result := count(t, "Network", "", append(requests, during...), box.Mails(), r.logs()...)
	result.allow(t, sent, unknown, gone)
	result.demand(t, unknown)
	return result
}
