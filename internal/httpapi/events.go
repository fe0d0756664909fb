package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
)

const (
	// pollInterval is how often a stream checks for changes, and its caller's access.
	pollInterval = time.Second
	// heartbeatInterval keeps proxies from closing an idle stream.
	heartbeatInterval = 15 * time.Second
	maxStreams        = 64
)

const eventsPath = "/api/messages/events"

// followMessages sends the list of messages now, and whenever it changes, until the
// caller leaves or loses access, or the program stops.
func (s *Server) followMessages(w http.ResponseWriter, r *request) error {
	var given messageFilter
	if err := r.decodeQuery(&given, "state", "type", "connector", "limit"); err != nil {
		return err
	}
	filter := s.filter(given)
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return &problem{Code: errcode.Overloaded, Detail: "too many pages follow the messages", retryAfter: heartbeatInterval}
	}
	if s.draining.Load() != nil {
		return &problem{Code: errcode.Unavailable, Detail: "the service is shutting down"}
	}
	page, err := s.pageNow(r, filter)
	if err != nil {
		return err
	}
	stream := newEventStream(w)
	if r.Method == http.MethodHead {
		return nil
	}
	poll, heartbeat := time.NewTicker(pollInterval), time.NewTicker(heartbeatInterval)
	defer poll.Stop()
	defer heartbeat.Stop()
	err = stream.send("messages", page)
	for err == nil {
		select {
		case <-poll.C:
			next, failure := s.pageNow(r, filter)
			if p, ok := errors.AsType[*problem](failure); ok && p.Code == errcode.Unavailable {
				continue // the state may come back
			}
			if failure != nil {
				return nil // the caller may no longer see messages
			}
			if !bytes.Equal(page, next) {
				page = next
				err = stream.send("messages", page)
			}
		case <-heartbeat.C:
			err = stream.write([]byte(":\n\n")) // a comment
		case <-s.stopping:
			return nil
		case <-r.Context().Done():
			return nil
		}
	}
	return nil // the caller no longer reads
}

// pageNow returns the page of messages, if the caller may still see it.
func (s *Server) pageNow(r *request, filter delivery.Filter) ([]byte, error) {
	ctx, cancel := context.WithTimeout(r.Context(), sessionTime)
	defer cancel()
	if _, err := s.authorize(ctx, r, ScopeAdmin); err != nil {
		return nil, err
	}
	page, err := s.messagePage(ctx, filter)
	if err != nil {
		return nil, err
	}
	return mustMarshal(page), nil
}

// An eventStream writes server-sent events (HTML Standard, 9.2).
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// newEventStream begins the answer. Its connection closes with it, so that a stop does
// not wait for another request.
func newEventStream(w http.ResponseWriter) *eventStream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Connection", "close")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	return &eventStream{w, http.NewResponseController(w)}
}

// send writes an event with JSON as its data.
func (e *eventStream) send(event string, data []byte) error {
	return e.write(fmt.Appendf(nil, "event: %s\ndata: %s\n\n", event, data))
}

func (e *eventStream) write(text []byte) error {
	if _, err := e.w.Write(text); err != nil { //nolint:gosec // JSON in a stream of events, with nosniff
		return err
	}
	return e.control.Flush()
}
