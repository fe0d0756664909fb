package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
)

const (
	// lookEvery is how often a stream looks for what has changed, and at its caller.
	lookEvery = time.Second
	// beatEvery keeps proxies from closing a stream that has nothing to say.
	beatEvery = 15 * time.Second
	// eventTime is how long a reader may take to take an event.
	eventTime  = 5 * time.Second
	maxStreams = 64
)

const eventsPath = "/api/messages/events"

var eventKeys = []string{"state", "outcome", "type", "connector", "limit"}

// followMessages sends the list of messages now, and whenever it changes, until
// the caller goes or may no longer see it, or the program stops.
func (s *Server) followMessages(w http.ResponseWriter, r *http.Request, _ caller) error {
	f, err := queryFields(r, eventKeys...)
	if err != nil {
		return err
	}
	filter := s.parseFilter(f)
	if err := f.err(); err != nil {
		return err
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return &problem{Code: errcode.Overloaded, Detail: "too many pages follow the messages", retryAfter: beatEvery}
	}
	if s.draining.Load() != nil {
		return problemOf(errcode.Unavailable)
	}
	page, err := s.look(r, filter)
	if err != nil {
		return err
	}
	stream := newEventStream(w)
	defer stream.close()
	s.keepSending(stream, r, filter, page)
	return nil
}

// keepSending sends the page, and what becomes of it.
func (s *Server) keepSending(stream *eventStream, r *http.Request, filter delivery.Filter, page []byte) {
	look, beat := time.NewTicker(lookEvery), time.NewTicker(beatEvery)
	defer look.Stop()
	defer beat.Stop()
	err := stream.send("messages", page)
	for err == nil {
		select {
		case <-look.C:
			next, failure := s.look(r, filter)
			switch {
			case isUnavailable(failure): // the state may come back
			case failure != nil:
				return
			case !bytes.Equal(page, next):
				page = next
				err = stream.send("messages", page)
			}
		case <-beat.C:
			err = stream.beat()
		case <-s.stopping:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func isUnavailable(err error) bool {
	failed, ok := errors.AsType[*problem](err)
	return ok && failed.Code == errcode.Unavailable
}

// look returns the page of messages, if the caller may still see it.
func (s *Server) look(r *http.Request, filter delivery.Filter) ([]byte, error) {
	ctx, cancel := context.WithTimeout(r.Context(), sessionTime)
	defer cancel()
	if _, err := s.authorize(r.WithContext(ctx), ScopeAdmin); err != nil {
		return nil, err
	}
	page, err := s.messagePage(ctx, filter)
	if err != nil {
		return nil, err
	}
	return json.Marshal(page)
}

// An eventStream writes server-sent events (HTML Standard, 9.2).
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// newEventStream begins the answer. Its connection is not used again: a stop would
// wait whether it is.
func newEventStream(w http.ResponseWriter) *eventStream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Connection", "close")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	return &eventStream{w, http.NewResponseController(w)}
}

// send writes an event. The data must be of one line, as JSON is.
func (e *eventStream) send(event string, data []byte) error {
	return e.write([]byte("event: "+event+"\ndata: "), data, []byte("\n\n"))
}

// beat writes a comment.
func (e *eventStream) beat() error { return e.write([]byte(":\n\n")) }

// close has the answer end, for which a reader has time again.
func (e *eventStream) close() { e.extend() }

// write gives up on a reader that does not read.
func (e *eventStream) write(parts ...[]byte) error {
	e.extend()
	if _, err := e.w.Write(bytes.Join(parts, nil)); err != nil { //nolint:gosec // JSON in a stream of events, with nosniff
		return err
	}
	return e.control.Flush()
}

func (e *eventStream) extend() {
	// Recorders in tests know no deadlines; a real connection always does.
	_ = e.control.SetWriteDeadline(time.Now().Add(eventTime))
}
