package httpapi_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// While a body is read that takes all the memory for large ones, others like it are
// overloaded, and small ones are answered.
func TestLargeBodiesAreBounded(t *testing.T) {
	s := newService(t, "mine")
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /api/connectors/mine/preview HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: 3000000\r\n\r\n{", adminToken)
	const path = "/api/connectors/mine/test"
	large := `{"email":"user@example.com","payload":{"unused":"` + strings.Repeat("x", 100_000) + `"}}`
	got := s.do("POST", path, adminToken, large)
	for got.status == 204 { // the first one has not arrived yet
		got = s.do("POST", path, adminToken, large)
	}
	if got.status != 503 || !strings.Contains(got.body, "other large requests are in progress") {
		t.Fatalf("a large one: %d %s", got.status, got.body)
	}
	if got := s.do("POST", path, adminToken, `{"email":"user@example.com"}`); got.status != 204 {
		t.Errorf("a small one: %d %s", got.status, got.body)
	}
	conn.Close()
	for got.status == 503 {
		got = s.do("POST", path, adminToken, large)
	}
	if got.status != 204 {
		t.Errorf("a large one afterwards: %d %s", got.status, got.body)
	}
}

// The same for sends, which share more.
func TestLargeSendsAreBounded(t *testing.T) {
	s := newService(t, "default")
	n := 0
	send := func(unused string) answer {
		n++ // a recipient has a limit
		return s.do("POST", "/api/send", recordedToken, fmt.Sprintf(`{"to":"user%d@example.com","type":"SignIn","payload":{"code":"1","unused":[%q]}}`, n, unused))
	}
	large := strings.Repeat("x", 3000) + strings.Repeat(" ", 50_000)
	if got := send(large); got.status != 200 {
		t.Fatalf("a large one alone: %d %s", got.status, got.body)
	}
	var conns []net.Conn
	for range 16 << 20 / 60_000 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
		fmt.Fprintf(conn, "POST /api/send HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{", recordedToken)
	}
	got := send(large)
	for got.status == 200 && n < 100 { // not all have arrived yet
		got = send(large)
	}
	if got.status != 503 || !strings.Contains(got.body, "overloaded") {
		t.Fatalf("a large one: %d %s", got.status, got.body)
	}
	if got := send("small"); got.status != 200 {
		t.Errorf("a small one: %d %s", got.status, got.body)
	}
	for _, conn := range conns {
		conn.Close()
	}
	for got.status == 503 && n < 200 {
		got = send(large)
	}
	if got.status != 200 {
		t.Errorf("a large one afterwards: %d %s", got.status, got.body)
	}
}
