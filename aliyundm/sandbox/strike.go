package sandbox

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"time"
)

// hugeAnswer is how much a "huge" fault answers.
const hugeAnswer = 16 << 20

// deliver accepts a call that passed every check and answers it, unless a fault
// strikes.
func (s *Sandbox) deliver(w http.ResponseWriter, r *http.Request, c *call) {
	v := receipt{EnvID: fmt.Sprintf("600000%013d", s.envelopes.Add(1)), RequestID: c.id}
	f := s.faults.take(sendAction, c.recipients)
	accepted := f == nil || *f.Accept
	if accepted && !s.accept(w, r, c, v) {
		return
	}
	if f != nil {
		s.log.InfoContext(r.Context(), "fault struck", "fault", f.Kind, "accepted", accepted, "request_id", c.id)
		if f.Kind != "delay" && f.Kind != "hang" {
			s.strike(w, r, c, f, v)
			return
		}
		s.hold(w, r, f)
		if !accepted && !s.accept(w, r, c, v) {
			return
		}
	}
	c.succeed(w, v)
}

// accept stores the mail for each recipient, or refuses it for want of quota,
// answers so and returns false.
func (s *Sandbox) accept(w http.ResponseWriter, r *http.Request, c *call, v receipt) bool {
	now := s.now()
	if !s.meters.spend(c.sign.keyID, len(c.recipients), now) {
		s.refuse(w, r, c, refuse("InvalidQuota"))
		return false
	}
	s.inbox.add(newMail(c, v), c.recipients, now)
	s.log.InfoContext(r.Context(), "mail accepted", "to", masked(c.recipients[0]),
		"recipients", len(c.recipients), "env_id", v.EnvID, "request_id", c.id)
	return true
}

func (c *call) succeed(w http.ResponseWriter, v receipt) {
	contentType, body := c.encode(v)
	send(w, http.StatusOK, contentType, body)
}

// hold keeps a call waiting: for the duration of a delay, for ever in a hang, in
// both cases until the faults are replaced. When the client goes or the sandbox
// is closed the call ends here.
func (s *Sandbox) hold(w http.ResponseWriter, r *http.Request, f *armed) {
	patient(w)
	var over <-chan time.Time
	if f.Kind == "delay" {
		timer := time.NewTimer(f.duration)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-f.cleared:
	case <-s.closed:
		panic(http.ErrAbortHandler)
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// strike answers as the fault wants it.
func (s *Sandbox) strike(w http.ResponseWriter, r *http.Request, c *call, f *armed, v receipt) {
	switch f.Kind {
	case "reset":
		reset(w)
	case "error":
		s.refuse(w, r, c, refuse(f.Code).about(c))
	case "html":
		s.page(w, r, f.Status)
	case "empty":
		w.WriteHeader(f.Status)
	case "broken-json":
		send(w, http.StatusOK, "application/json;charset=utf-8", fmt.Appendf(nil, `{"EnvId":"%s","Reque`, v.EnvID))
	case "huge":
		huge(w, v)
	case "dribble":
		s.dribble(w, r, c, f, v)
	case "xml":
		c.xml = true
		c.succeed(w, v)
	}
}

// reset ends the connection with a TCP reset, or as near to it as it can.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2: the server resets the stream
		panic(http.ErrAbortHandler)
	}
	inner := conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		inner = t.NetConn()
	}
	if t, ok := inner.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = inner.Close()
}

// huge answers a receipt with a filler of hugeAnswer bytes in it.
func huge(w http.ResponseWriter, v receipt) {
	patient(w)
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	_, err := fmt.Fprintf(w, `{"EnvId":"%s","RequestId":"%s","Filler":"`, v.EnvID, v.RequestID)
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	for range hugeAnswer / len(chunk) {
		if err != nil {
			return
		}
		_, err = w.Write(chunk)
	}
	_, _ = w.Write([]byte(`"}`))
}

// dribble answers the receipt byte by byte.
func (s *Sandbox) dribble(w http.ResponseWriter, r *http.Request, c *call, f *armed, v receipt) {
	patient(w)
	contentType, body := c.encode(v)
	w.Header().Set("Content-Type", contentType)
	tick := time.NewTicker(f.duration)
	defer tick.Stop()
	for i := range body {
		if _, err := w.Write(body[i : i+1]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-f.cleared: // the rest at once
			_, _ = w.Write(body[i+1:])
			return
		case <-s.closed:
			panic(http.ErrAbortHandler)
		case <-r.Context().Done():
			return
		}
	}
}

// patient lifts the server's time-out off an answer that takes its time.
func patient(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
}
